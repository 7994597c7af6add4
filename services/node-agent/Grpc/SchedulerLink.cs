using Corral.Hosting;
using Corral.NodeAgent.Runtimes;
using Corral.NodeAgent.Sandboxes;
using Corral.NodeAgent.Storage;
using Corral.Scheduler.V1;
using Grpc.Core;

namespace Corral.NodeAgent.Grpc;

/// <summary>Keeps the node attached to the scheduler: says what it has, that it lives and what is warm; hears what should be.</summary>
internal sealed partial class SchedulerLink(
    NodeRegistryService.NodeRegistryServiceClient scheduler, NodeOptions options, NodeCapacity capacity, TemplateCatalog templates, RuntimeCatalog runtimes,
    IStoragePool storage, WarmPool warm, SandboxTable table, TimeProvider clock, ILogger<SchedulerLink> log) : BackgroundService
{
    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        SetTargets([]);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await AttachAsync(stoppingToken);
            }
            catch (Exception problem) when (!stoppingToken.IsCancellationRequested)
            {
                LogLost(problem is RpcException rpc ? rpc.Status.Detail : problem.Message);
            }

            await Task.Delay(Pause, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task AttachAsync(CancellationToken stopping)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        using var call = scheduler.Attach(cancellationToken: over.Token);
        var hearing = HearAsync(call.ResponseStream, over);
        NodeDescription? told = null;
        try
        {
            while (true)
            {
                var now = Describe();
                if (!now.Equals(told)) await call.RequestStream.WriteAsync(new AttachRequest { Description = told = now }, over.Token);
                await call.RequestStream.WriteAsync(new AttachRequest { Heartbeat = Heartbeat() }, over.Token);
                // A change of what is warm is told at the next beat: placement does not depend on it.
                await Task.Delay(Beat, clock, over.Token);
            }
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            await hearing; // ended first, and says why
        }
    }

    private async Task HearAsync(IAsyncStreamReader<AttachResponse> answers, CancellationTokenSource over)
    {
        try
        {
            while (await answers.MoveNext(over.Token)) SetTargets(answers.Current.WarmTargets);
        }
        finally
        {
            await over.CancelAsync();
        }
    }

    private void SetTargets(IEnumerable<WarmCount> wanted)
    {
        var targets = wanted.Select(one => KeyValuePair.Create(new WarmKind(one.Template, one.Isolation), one.Count)).ToList();
        if (targets.Count == 0 && options.WarmPerTemplate > 0)
            targets = [.. templates.Names.Select(name => KeyValuePair.Create(new WarmKind(name, runtimes.Default.Isolation), options.WarmPerTemplate))];
        warm.SetTargets(targets);
    }

    private NodeDescription Describe() => new()
    {
        NodeId = options.Id,
        Address = options.Address.Length > 0 ? options.Address : "unix:" + CorralPaths.Socket("node-agent"),
        Region = options.Region,
        MaxSandboxes = capacity.MaxSandboxes,
        Capacity = new Shape
        {
            CpuMillis = (int)Math.Min(int.MaxValue, capacity.Total.Cpus * 1000),
            MemoryBytes = capacity.Total.MemoryBytes,
            DiskBytes = capacity.Total.DiskBytes,
        },
        Templates = { templates.Names },
        Isolations = { runtimes.All.Select(runtime => runtime.Isolation) },
        Labels =
        {
            ["storage"] = storage.Kind,
            ["disk-quota"] = storage.HasQuota ? "yes" : "no",
            ["runtimes"] = string.Join("; ", runtimes.All.Select(runtime => runtime.Description)),
        },
    };

    private Heartbeat Heartbeat() => new()
    {
        Accepting = table.Accepting,
        Warm = { warm.Counts().Select(kind => new WarmCount { Template = kind.Key.Template, Isolation = kind.Key.Isolation, Count = kind.Value }) },
    };

    [LoggerMessage(Level = LogLevel.Warning, Message = "Not attached to the scheduler; trying again: {Reason}")]
    private partial void LogLost(string reason);
}
