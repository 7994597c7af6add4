using System.Security.Authentication;
using Corral.Egress.Flows;
using Yarp.ReverseProxy.Forwarder;

namespace Corral.Egress.Termination;

/// <summary>Why a request that might pass was not answered by its server.</summary>
/// <param name="Status">What it is answered, when nothing was sent yet.</param>
/// <param name="Reason">One of <see cref="Refusals"/>.</param>
/// <param name="Allowed">False when it was a refusal after all: of where its name leads to.</param>
internal readonly record struct UpstreamFailure(int Status, string Reason, bool Allowed)
{
    /// <summary>It was the sandbox that broke off.</summary>
    public static readonly UpstreamFailure ClientClosed = new(StatusCodes.Status400BadRequest, Refusals.ClientClosed, Allowed: true);

    public static UpstreamFailure Of(ForwarderError error, Exception? exception, Flow flow)
    {
        if (flow.CloseReason is { } closed)
        {
            return new(StatusCodes.Status502BadGateway, closed, Allowed: true);
        }

        if (UpstreamRefusedException.In(exception) is { Reason: var reason })
        {
            return reason switch
            {
                Refusals.AddressDenied or Refusals.ProxyDenied or Refusals.PortDenied => new(StatusCodes.Status403Forbidden, reason, Allowed: false),
                Refusals.ConnectTimeout => new(StatusCodes.Status504GatewayTimeout, reason, Allowed: true),
                _ => new(StatusCodes.Status502BadGateway, reason, Allowed: true),
            };
        }

        return error switch
        {
            ForwarderError.RequestTimedOut or ForwarderError.UpgradeActivityTimeout => new(StatusCodes.Status504GatewayTimeout, Refusals.UpstreamTimeout, Allowed: true),
            ForwarderError.RequestBodyClient => ClientClosed,
            _ when exception is HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } or { InnerException: AuthenticationException } =>
                new(StatusCodes.Status502BadGateway, Refusals.CertificateInvalid, Allowed: true),
            _ => new(StatusCodes.Status502BadGateway, Refusals.UpstreamFailed, Allowed: true),
        };
    }
}
