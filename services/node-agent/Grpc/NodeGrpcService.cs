using System.Text.RegularExpressions;
using Corral.Api.V1;
using Corral.Hosting;
using Corral.Node.V1;
using Corral.NodeAgent.Outbound;
using Corral.NodeAgent.Runtimes;
using Corral.NodeAgent.Sandboxes;
using Corral.NodeAgent.Terminals;
using Grpc.Core;
using Policy = Corral.Egress.V1.Policy;

namespace Corral.NodeAgent.Grpc;

/// <summary>Starts, ends and lists sandboxes, for sessions, and says of terminals' tokens whether they are true, for the gateway.</summary>
internal sealed partial class NodeGrpcService(SandboxTable table, GateAttacher gates, UsageReader usage, TerminalTokens tokens) : NodeService.NodeServiceBase
{
    private const long Mebibyte = 1 << 20;

    public override async Task<StartSandboxResponse> StartSandbox(StartSandboxRequest request, ServerCallContext context) =>
        await table.StartAsync(Parse(request), context.CancellationToken) switch
        {
            StartOutcome.Running running => await AnswerAsync(request, running, context.CancellationToken),
            StartOutcome.Stale stale => throw RpcErrors.FailedPrecondition("STALE_GENERATION", $"Generation {stale.Known} is known, and this one is not to start any more."),
            StartOutcome.Full => throw RpcErrors.ResourceExhausted("NODE_FULL", "This node has no room."),
            StartOutcome.NoEgress => throw new EgressUnavailableException(),
            StartOutcome.UnknownTemplate => throw RpcErrors.InvalidArgument("template", $"This node has no template '{request.Template}'."),
            StartOutcome.UnknownIsolation unknown => throw RpcErrors.InvalidArgument("isolation", $"This node offers {string.Join(" and ", unknown.Offered)}."),
            StartOutcome.Failed failed => throw RpcErrors.Internal("START_FAILED", failed.Message),
            var other => throw new InvalidOperationException($"An outcome without an answer: {other}."),
        };

    public override async Task<UpdatePolicyResponse> UpdatePolicy(UpdatePolicyRequest request, ServerCallContext context)
    {
        if (request.Policy is not { Version: > 0 }) throw RpcErrors.InvalidArgument("policy.version", "is required, above 0.");
        var box = table.Find(request.SandboxId) ?? throw Boxes.Missing(table, request.SandboxId);
        if (box.Record.Generation != request.Generation) throw RpcErrors.NotFound("SANDBOX_NOT_FOUND", "This generation does not run here.");
        return new UpdatePolicyResponse { Version = await PutInForceAsync(box, request.Policy, context.CancellationToken) };
    }

    public override async Task<EndSandboxResponse> EndSandbox(EndSandboxRequest request, ServerCallContext context)
    {
        CheckId(request.SandboxId);
        await table.EndAsync(request.SandboxId, request.Generation, context.CancellationToken);
        return new EndSandboxResponse();
    }

    public override Task<ListSandboxesResponse> ListSandboxes(ListSandboxesRequest request, ServerCallContext context) =>
        Task.FromResult(new ListSandboxesResponse
        {
            Sandboxes =
            {
                table.List().Select(view => new NodeSandbox
                {
                    SandboxId = view.SandboxId,
                    Generation = view.Generation,
                    OrganizationId = view.OrganizationId,
                    State = view.Phase switch { SandboxPhase.Starting => "starting", SandboxPhase.Running => "running", _ => "ending" },
                    Isolation = view.Isolation,
                }),
            },
        });

    public override Task<CheckTerminalTokenResponse> CheckTerminalToken(CheckTerminalTokenRequest request, ServerCallContext context) =>
        tokens.Opens(Boxes.Of(table, request.SandboxId, context), TerminalGrpcService.Named(request.Terminal), request.Token)
            ? Task.FromResult(new CheckTerminalTokenResponse())
            : throw RpcErrors.Unauthenticated("INVALID_TERMINAL_TOKEN", "Invalid or expired terminal token");

    public override Task<GetUsageResponse> GetUsage(GetUsageRequest request, ServerCallContext context) => GuestErrors.TellAsync(async () =>
    {
        var box = table.Find(request.SandboxId) ?? throw Boxes.Missing(table, request.SandboxId);
        var now = await usage.ReadAsync(box, context.CancellationToken);
        var disk = new Disk();
        if (now.DiskBytes is { } used) disk.UsedBytes = used;
        if (now.HasDiskLimit) disk.LimitBytes = now.Limits.DiskBytes;
        return new GetUsageResponse
        {
            Resources = new Resources
            {
                Cpu = new Cpu { UsedMs = (long)now.Used.Cpu.TotalMilliseconds, Limit = now.Limits.Cpus },
                Memory = new Memory { UsedBytes = now.Used.MemoryBytes, LimitBytes = now.Limits.MemoryBytes },
                Disk = disk,
                Processes = new Processes { Count = now.Used.Processes, Limit = now.Limits.Processes },
            },
            Ports = { now.Ports },
        };
    });

    // Asked again for one that runs already, the policy may be a newer one, or the first that this node-agent hears of.
    private async Task<StartSandboxResponse> AnswerAsync(StartSandboxRequest request, StartOutcome.Running running, CancellationToken cancellationToken)
    {
        if (request.Policy is { } policy && table.Find(request.SandboxId) is { } box) await PutInForceAsync(box, policy, cancellationToken);
        return new StartSandboxResponse { Isolation = running.Isolation, Warm = running.Warm };
    }

    private async Task<long> PutInForceAsync(Box box, Policy policy, CancellationToken cancellationToken)
    {
        var before = box.Gate?.InForce;
        var version = await GuestErrors.TellAsync(() => gates.UpdateAsync(box, policy, cancellationToken));
        if (version != before) table.Tell(box);
        return version;
    }

    private static SandboxOrder Parse(StartSandboxRequest request)
    {
        CheckId(request.SandboxId);
        if (request.Generation < 1) throw RpcErrors.InvalidArgument("generation", "must be above 0.");
        if (request.Policy is { Version: < 1 }) throw RpcErrors.InvalidArgument("policy.version", "must be above 0.");
        if (request.OrganizationId.Length == 0) throw RpcErrors.InvalidArgument("organization_id", "is required.");
        if (request.Env.Keys.FirstOrDefault(name => !EnvironmentName().IsMatch(name)) is { } bad)
            throw RpcErrors.InvalidArgument("env", $"'{bad}' is not a name of the form [A-Za-z_][A-Za-z0-9_]*.");
        var usual = BoxLimits.Default;
        return new SandboxOrder(request.SandboxId, request.Generation, request.OrganizationId, request.Template, request.Isolation, request.Env, new BoxLimits(
            Between("cpu_millis", request.CpuMillis, 100, 1_000_000, (long)(usual.Cpus * 1000)) / 1000.0,
            Between("memory_bytes", request.MemoryBytes, 64 * Mebibyte, long.MaxValue, usual.MemoryBytes),
            Between("disk_bytes", request.DiskBytes, 16 * Mebibyte, long.MaxValue, usual.DiskBytes),
            (int)Between("max_processes", request.MaxProcesses, 16, 100_000, usual.Processes)))
        {
            Policy = request.Policy,
        };
    }

    private static long Between(string field, long value, long least, long most, long usual)
    {
        if (value == 0) return usual;
        return value >= least && value <= most ? value : throw RpcErrors.InvalidArgument(field, $"must be 0 (for {usual}), or from {least} to {most}.");
    }

    private static void CheckId(string id)
    {
        if (!SandboxId().IsMatch(id)) throw RpcErrors.InvalidArgument("sandbox_id", "must be 1 to 64 lower-case letters, digits and hyphens.");
    }

    [GeneratedRegex("^[a-z][a-z0-9-]{0,63}$")]
    private static partial Regex SandboxId();

    [GeneratedRegex("^[A-Za-z_][A-Za-z0-9_]*$")]
    private static partial Regex EnvironmentName();
}
