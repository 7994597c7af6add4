using System.Collections.Concurrent;
using Corral.Egress.V1;
using Corral.Hosting;
using Corral.Node.V1;
using Grpc.Core;
using UpdatePolicyRequest = Corral.Node.V1.UpdatePolicyRequest;
using UpdatePolicyResponse = Corral.Node.V1.UpdatePolicyResponse;

namespace Corral.Sessions.Tests;

/// <summary>A node that starts and ends sandboxes in no time, and as its contract says.</summary>
internal sealed class FakeNode(string id, Calls calls) : NodeService.NodeServiceBase, IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, long> _fence = new();

    public string Id => id;

    public FakeHost Host { get; } = new();

    /// <summary>What runs, by id: its generation.</summary>
    public ConcurrentDictionary<string, long> Running { get; } = new();

    /// <summary>The last environment that was handed over.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; private set; } = new Dictionary<string, string>();

    /// <summary>The policies in force.</summary>
    public ConcurrentDictionary<string, Policy> Policies { get; } = new();

    /// <summary>Throws for a policy that it does not take.</summary>
    public Action<Policy> RefusePolicy { get; set; } = _ => { };

    public override Task<StartSandboxResponse> StartSandbox(StartSandboxRequest request, ServerCallContext context) => calls.MakeAsync("start", () =>
    {
        if (_fence.GetValueOrDefault(request.SandboxId) >= request.Generation || Running.GetValueOrDefault(request.SandboxId) > request.Generation)
        {
            throw RpcErrors.FailedPrecondition("STALE_GENERATION", "A newer generation is known.");
        }

        Running[request.SandboxId] = request.Generation;
        Environment = new Dictionary<string, string>(request.Env);
        if (request.Policy is { } policy)
        {
            Policies[request.SandboxId] = policy;
        }

        return new StartSandboxResponse { Isolation = "runsc" };
    });

    public override Task<UpdatePolicyResponse> UpdatePolicy(UpdatePolicyRequest request, ServerCallContext context) => calls.MakeAsync("policy", () =>
    {
        if (Running.GetValueOrDefault(request.SandboxId) != request.Generation)
        {
            throw RpcErrors.NotFound("SANDBOX_NOT_FOUND", "Sandbox not found");
        }

        RefusePolicy(request.Policy);
        if (request.Policy.Version > Policies[request.SandboxId].Version)
        {
            Policies[request.SandboxId] = request.Policy;
        }

        return new UpdatePolicyResponse { Version = Policies[request.SandboxId].Version };
    });

    public override Task<EndSandboxResponse> EndSandbox(EndSandboxRequest request, ServerCallContext context) => calls.MakeAsync("end", () =>
    {
        _fence.AddOrUpdate(request.SandboxId, request.Generation, (_, known) => Math.Max(known, request.Generation));
        if (Running.GetValueOrDefault(request.SandboxId, long.MaxValue) <= request.Generation)
        {
            Running.TryRemove(request.SandboxId, out _);
        }

        return new EndSandboxResponse();
    });

    public ValueTask DisposeAsync() => Host.DisposeAsync();
}
