using System.Net.Sockets;
using System.Text;
using Corral.Hosting;
using Corral.Scheduler.V1;
using Grpc.Core;
using Grpc.Health.V1;

namespace Corral.Cli;

/// <summary>Asks each process of the instance whether it can do its work.</summary>
internal sealed class Probes : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private readonly ChannelPool _channels = new();
    private readonly HttpClient _http = new() { Timeout = Patience };

    /// <summary>Whether the service named so is ready.</summary>
    public async Task<bool> IsReadyAsync(string service)
    {
        try
        {
            return service switch
            {
                "redis" => await RedisAsync(),
                "gateway" => (await _http.GetAsync(new Uri($"http://{InstanceSettings.JsonAddress}/health/ready"))).IsSuccessStatusCode,
                // A node that the scheduler does not know yet would get no sandbox.
                "node-agent" => await ServesAsync(service) && await IsAttachedAsync(),
                _ => await ServesAsync(service),
            };
        }
        catch (Exception problem) when (problem is RpcException or SocketException or HttpRequestException or OperationCanceledException or IOException)
        {
            return false;
        }
    }

    public void Dispose()
    {
        _channels.Dispose();
        _http.Dispose();
    }

    private CallInvoker Invoker(string service) => _channels.Get("unix:" + CorralPaths.Socket(service)).CreateCallInvoker();

    private static DateTime Deadline => TimeProvider.System.GetUtcNow().UtcDateTime + Patience;

    private async Task<bool> ServesAsync(string service) =>
        (await new Health.HealthClient(Invoker(service)).CheckAsync(new HealthCheckRequest(), deadline: Deadline)).Status == HealthCheckResponse.Types.ServingStatus.Serving;

    private async Task<bool> IsAttachedAsync() =>
        (await new NodeAdminService.NodeAdminServiceClient(Invoker("scheduler")).ListNodesAsync(new ListNodesRequest(), deadline: Deadline)).Nodes.Any(node => node.Attached);

    private static async Task<bool> RedisAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(CorralPaths.Socket("redis")), patience.Token);
        await socket.SendAsync("PING\r\n"u8.ToArray(), patience.Token);
        var answer = new byte[64];
        var length = await socket.ReceiveAsync(answer, patience.Token);
        return Encoding.ASCII.GetString(answer, 0, length).StartsWith("+PONG", StringComparison.Ordinal);
    }
}
