using Corral.Egress.V1;
using Corral.NodeAgent.Sandboxes;
using Grpc.Core;

namespace Corral.NodeAgent.Outbound;

/// <summary>Learns at once when egress goes and when it is back: gives it the gates that it lacks, and has it let go of those that are nobody's.</summary>
internal sealed partial class EgressWatch(
    EgressService.EgressServiceClient egress, GateAttacher gates, SandboxTable table, TimeProvider clock, ILogger<EgressWatch> log) : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    private bool _lost;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await WatchAsync(stoppingToken);
            }
            catch (Exception problem) when (!stoppingToken.IsCancellationRequested)
            {
                if (!_lost) LogLost(problem is RpcException rpc ? rpc.StatusCode.ToString() : problem.Message);
                _lost = true;
            }

            gates.Disconnected();
            foreach (var box in gates.Boxes) table.Tell(box);
            await Task.Delay(Pause, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task WatchAsync(CancellationToken stopping)
    {
        using var call = egress.WatchAttached(new WatchAttachedRequest(), cancellationToken: stopping);
        while (await call.ResponseStream.MoveNext(stopping))
        {
            var there = call.ResponseStream.Current.Gates.ToDictionary(gate => (gate.SandboxId, gate.Generation));
            LogConnected(there.Count);
            _lost = false;
            foreach (var box in await gates.ConnectedAsync(there, stopping)) table.Tell(box);
            foreach (var gate in there.Values.Where(gate => !table.Knows(gate.SandboxId))) await gates.DetachAsync(gate.SandboxId, gate.Generation);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Egress answers; it has {Gates} gates.")]
    private partial void LogConnected(int gates);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Egress is away ({Reason}): nothing leaves a sandbox, and none is started.")]
    private partial void LogLost(string reason);
}
