using System.Net.Sockets;
using System.Security.Authentication;
using Corral.Egress.Flows;
using Corral.Egress.Policies;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Corral.Egress.Termination;

/// <summary>
/// A Kestrel of its own for what comes out of the sandboxes: it has no listening socket, and nothing in common with the one that answers
/// gRPC, so that no request from inside can reach an endpoint of the service.
/// </summary>
internal sealed class TerminationServer : ITerminator, IHostedService, IDisposable
{
    private static readonly TimeSpan HandshakeTime = TimeSpan.FromSeconds(10);

    private readonly HandoffEndPoint _tls = new("tls");
    private readonly HandoffEndPoint _plain = new("plain");
    private readonly HandoffEndPoint _plainHttp2 = new("plain-http2");
    private readonly SocketConnectionContextFactory _sockets;
    private readonly IHttpApplication<HttpContext> _application;
    private readonly KestrelServer _kestrel;
    private readonly TimeProvider _clock;

    public TerminationServer(RequestHandler handler, IServiceProvider services, TimeProvider clock)
    {
        _clock = clock;
        _application = new TerminationApplication(handler);
        _sockets = new SocketConnectionContextFactory(new SocketConnectionFactoryOptions { UnsafePreferInlineScheduling = true }, NullLogger.Instance);
        var options = new KestrelServerOptions { ApplicationServices = services };
        Configure(options);
        // What Kestrel has to say is what a sandbox made it say, at any level and as often as it likes.
        _kestrel = new KestrelServer(Options.Create(options), new HandoffTransport(), NullLoggerFactory.Instance);
    }

    public Task StartAsync(CancellationToken cancellationToken) => _kestrel.StartAsync(_application, cancellationToken);

    public Task StopAsync(CancellationToken cancellationToken) => _kestrel.StopAsync(cancellationToken);

    public async Task HandleAsync(Flow flow, CancellationToken cancellationToken)
    {
        // Before the socket is anybody's: from then on it is read.
        var endPoint = EndPointOf(flow);
        var connection = new HandedConnection(_sockets.Create(flow.Client), flow, _clock);
        await using var closing = flow.Closing.UnsafeRegister(Abort, connection);
        await using var stopping = cancellationToken.UnsafeRegister(Abort, connection);
        try
        {
            await endPoint.Writer.WriteAsync(connection, CancellationToken.None);
        }
        catch (System.Threading.Channels.ChannelClosedException)
        {
            // The service is stopping.
            await connection.DisposeAsync();
            return;
        }

        await connection.Ended;
    }

    public void Dispose()
    {
        _kestrel.Dispose();
        _sockets.Dispose();
    }

    private static void Abort(object? connection) => ((HandedConnection)connection!).Abort(new ConnectionAbortedException());

    private HandoffEndPoint EndPointOf(Flow flow) => flow.Protocol == FlowProtocol.Tls ? _tls : SpeaksHttp2(flow.Client) ? _plainHttp2 : _plain;

    // "PRI * HTTP/2.0": whoever sends it knows that the server speaks HTTP/2 (RFC 9113, section 3.3). There is no method of that name.
    private static bool SpeaksHttp2(Socket client)
    {
        Span<byte> first = stackalloc byte[4];
        return client.Receive(first, SocketFlags.Peek) == first.Length && first.SequenceEqual("PRI "u8);
    }

    private void Configure(KestrelServerOptions options)
    {
        options.AddServerHeader = false;
        options.RequestHeaderEncodingSelector = _ => System.Text.Encoding.Latin1;
        options.ResponseHeaderEncodingSelector = _ => System.Text.Encoding.Latin1;
        // Bodies of any size and any pace are carried; what a header may cost is bounded.
        options.Limits.MaxRequestBodySize = null;
        options.Limits.MinRequestBodyDataRate = null;
        options.Limits.MinResponseDataRate = null;
        options.Limits.MaxRequestHeaderCount = 200;
        options.Limits.MaxRequestLineSize = 64 * 1024;
        options.Limits.MaxRequestHeadersTotalSize = 128 * 1024;
        options.Limits.Http2.MaxRequestHeaderFieldSize = 64 * 1024;
        options.Listen(_tls, listen =>
        {
            listen.Protocols = HttpProtocols.Http1AndHttp2;
            listen.UseHttps(new TlsHandshakeCallbackOptions { HandshakeTimeout = HandshakeTime, OnConnection = ChooseCertificate });
        });
        options.Listen(_plain, listen => listen.Protocols = HttpProtocols.Http1);
        options.Listen(_plainHttp2, listen => listen.Protocols = HttpProtocols.Http2);
    }

    // The name was read from the same bytes before; should the two readings ever differ, nothing is signed.
    private static ValueTask<System.Net.Security.SslServerAuthenticationOptions> ChooseCertificate(TlsHandshakeCallbackContext context)
    {
        var flow = context.Connection.Features.Get<Flow>()!;
        return DomainName.TryNormalize(context.ClientHelloInfo.ServerName, out var name) && name == flow.Name
            ? ValueTask.FromResult(flow.Sandbox.Authority.OptionsFor(name))
            : throw new AuthenticationException("The server name is not the name of the connection.");
    }
}
