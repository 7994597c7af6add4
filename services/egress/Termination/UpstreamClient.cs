using System.Net;
using System.Text;
using Corral.Egress.Dialing;
using Corral.Egress.Gates;

namespace Corral.Egress.Termination;

/// <summary>The connections of one sandbox to one server.</summary>
internal sealed class UpstreamClient : IDisposable
{
    // A stream of HTTP/2 may become a connection when the server speaks HTTP/1.1 only.
    private const int MostConnections = 256;
    private const int MaxHeadersKilobytes = 128;

    private readonly AttachedSandbox _sandbox;
    private readonly DialTarget _target;
    private readonly IUpstreamDialer _dialer;
    private volatile IPEndPoint? _remote;

    public UpstreamClient(AttachedSandbox sandbox, DialTarget target, IUpstreamDialer dialer, UpstreamTrust trust)
    {
        (_sandbox, _target, _dialer) = (sandbox, target, dialer);
        Invoker = new HttpMessageInvoker(new SocketsHttpHandler
        {
            ConnectCallback = ConnectAsync,
            SslOptions = trust.For(target.Name!),
            // What the server says is for the client to follow, keep and unpack; what the client says goes out with nothing added.
            AllowAutoRedirect = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
            UseProxy = false,
            ActivityHeadersPropagator = null,
            EnableMultipleHttp2Connections = true,
            MaxConnectionsPerServer = MostConnections,
            MaxResponseHeadersLength = MaxHeadersKilobytes,
            RequestHeaderEncodingSelector = EncodingOf,
            ResponseHeaderEncodingSelector = (_, _) => Encoding.Latin1,
            ConnectTimeout = TimeSpan.FromSeconds(30),
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(60),
            // A name moves, and a kept connection would not notice.
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        });
    }

    public HttpMessageInvoker Invoker { get; }

    /// <summary>What was last dialled.</summary>
    public IPEndPoint? Remote => _remote;

    public void Dispose() => Invoker.Dispose();

    // Asked when a header is written, which is when a request leaves: it has its connection, however long it waited for it.
    private static Encoding EncodingOf(string header, HttpRequestMessage request)
    {
        RequestTransformer.CheckInForce(request);
        return Encoding.Latin1;
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var outcome = await _dialer.ConnectAsync(_sandbox, _target, cancellationToken);
        if (!outcome.Succeeded)
        {
            throw new UpstreamRefusedException(outcome.Refusal);
        }

        _remote = outcome.Upstream.Remote;
        return outcome.Upstream.OpenStream();
    }
}
