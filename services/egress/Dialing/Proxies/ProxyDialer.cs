using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Corral.Egress.Flows;
using Corral.Egress.Gates;
using Corral.Egress.Policies;

namespace Corral.Egress.Dialing.Proxies;

/// <summary>
/// Leaves through the sandbox's own proxy. The proxy is dialled as any other server is, so that it cannot be an address that is refused; the
/// destination's name goes to it unresolved. Whatever it fails at is a refusal: there is no way round it.
/// </summary>
internal sealed class ProxyDialer(IUpstreamDialer direct, UpstreamTrust trust, TimeProvider clock) : IUpstreamDialer
{
    private const string Socks = "socks5";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    public async ValueTask<DialOutcome> ConnectAsync(AttachedSandbox sandbox, DialTarget target, CancellationToken cancellationToken)
    {
        if (sandbox.Policy.Proxy is not { } proxy)
        {
            return DialOutcome.Refused(Refusals.ProxyFailed);
        }

        var dialled = await direct.ConnectAsync(sandbox, TargetOf(proxy), cancellationToken);
        if (!dialled.Succeeded)
        {
            return DialOutcome.Refused(dialled.Refusal is Refusals.AddressDenied ? Refusals.ProxyDenied : Refusals.ProxyFailed);
        }

        using var patience = new CancellationTokenSource(Patience, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            return await TunnelAsync(dialled.Upstream, proxy, target, either.Token);
        }
        catch (Exception problem) when (problem is IOException or AuthenticationException || patience.IsCancellationRequested)
        {
            dialled.Upstream.Dispose();
            return DialOutcome.Refused(Refusals.ProxyFailed);
        }
        catch
        {
            dialled.Upstream.Dispose();
            throw;
        }
    }

    private static DialTarget TargetOf(UpstreamProxy proxy) =>
        IPAddress.TryParse(proxy.Host, out var address) ? DialTarget.To(new(address, proxy.Port)) : DialTarget.To(proxy.Host, proxy.Port);

    private async Task<DialOutcome> TunnelAsync(Upstream upstream, UpstreamProxy proxy, DialTarget target, CancellationToken cancellationToken)
    {
        // Over TLS, closing the tunnel closes the socket; a bare socket is the tunnel itself.
        var plain = new NetworkStream(upstream.Socket, ownsSocket: proxy.Scheme == Uri.UriSchemeHttps);
        SslStream? inTls = null;
        if (proxy.Scheme == Uri.UriSchemeHttps)
        {
            inTls = new SslStream(plain);
            await inTls.AuthenticateAsClientAsync(trust.For(proxy.Host), cancellationToken);
        }

        var refusal = proxy.Scheme == Socks
            ? await Socks5.AskAsync(plain, proxy, target, cancellationToken)
            : await HttpConnect.AskAsync((Stream?)inTls ?? plain, proxy, target, cancellationToken);
        if (refusal is not null)
        {
            upstream.Dispose();
            return DialOutcome.Refused(refusal);
        }

        return DialOutcome.Connected(new Upstream(upstream.Socket, upstream.Remote, inTls is null ? null : new TlsTunnel(inTls)));
    }
}
