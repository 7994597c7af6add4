using System.Collections.Concurrent;
using System.Net.Sockets;

namespace Corral.Gateway.Native;

/// <summary>One connection pool for each destination of native calls.</summary>
internal sealed class NativeChannels : IDisposable
{
    private readonly ConcurrentDictionary<string, Lazy<HttpMessageInvoker>> _pools = new(StringComparer.Ordinal);

    public HttpMessageInvoker Get(string address) => _pools.GetOrAdd(address, static key => new Lazy<HttpMessageInvoker>(() => Open(key))).Value;

    public void Dispose()
    {
        foreach (var pool in _pools.Values.Where(p => p.IsValueCreated))
        {
            pool.Value.Dispose();
        }
    }

    private static HttpMessageInvoker Open(string address) => new(new SocketsHttpHandler
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        UseCookies = false,
        EnableMultipleHttp2Connections = true,
        InitialHttp2StreamWindowSize = 1024 * 1024,
        ConnectTimeout = TimeSpan.FromSeconds(5),
        ConnectCallback = (context, cancellationToken) => ConnectAsync(address, context, cancellationToken),
    });

    private static async ValueTask<Stream> ConnectAsync(string address, SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var unix = address.StartsWith("unix:", StringComparison.Ordinal);
        var socket = unix
            ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
            : new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            var uri = unix ? null : new Uri(address);
            await (unix
                ? socket.ConnectAsync(new UnixDomainSocketEndPoint(address["unix:".Length..]), cancellationToken)
                : socket.ConnectAsync(uri!.Host, uri.Port, cancellationToken));
            _ = context;
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
