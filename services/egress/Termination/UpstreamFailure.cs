using System.Security.Authentication;
using Corral.Egress.Flows;
using Yarp.ReverseProxy.Forwarder;

namespace Corral.Egress.Termination;

/// <summary>Why a request that might pass was not answered by its server.</summary>
/// <param name="Reason">One of <see cref="Refusals"/>.</param>
/// <param name="Allowed">False when it was a refusal after all: of where its name leads to, or of what it carries.</param>
internal readonly record struct UpstreamFailure(string Reason, bool Allowed)
{
    /// <summary>It was the sandbox that broke off.</summary>
    public static readonly UpstreamFailure ClientClosed = new(Refusals.ClientClosed, Allowed: true);

    public static UpstreamFailure Of(ForwarderError error, Exception? exception, Flow flow)
    {
        if (flow.CloseReason is { } closed)
        {
            return new(closed, Allowed: true);
        }

        if (UpstreamRefusedException.In(exception) is { Reason: var reason })
        {
            return new(reason, Allowed: reason is not (Refusals.AddressDenied or Refusals.ProxyDenied or Refusals.PortDenied or Refusals.PolicyChanged));
        }

        return error switch
        {
            ForwarderError.RequestTimedOut or ForwarderError.UpgradeActivityTimeout => new(Refusals.UpstreamTimeout, Allowed: true),
            ForwarderError.RequestBodyClient => ClientClosed,
            _ when exception is HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } or { InnerException: AuthenticationException } =>
                new(Refusals.CertificateInvalid, Allowed: true),
            _ => new(Refusals.UpstreamFailed, Allowed: true),
        };
    }
}
