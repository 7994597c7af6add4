using System.Collections.Concurrent;
using Corral.Egress.Audit;
using Corral.Egress.Dialing;
using Corral.Egress.Dns;
using Corral.Egress.Flows;
using Corral.Egress.Policies;
using Corral.Egress.Termination;

namespace Corral.Egress.Gates;

/// <summary>The gates that are taken. Everything here is repeatable: the node-agent asks again whenever it is not sure.</summary>
internal sealed partial class GateTable(
    GateEntry entry, PreparedAuthorities prepared, FlowServer flows, DnsServer dns, DestinationPolicy destinations, AuditLog audit, EgressTelemetry telemetry,
    TimeProvider clock, ILogger<GateTable> log) : IHostedService
{
    private readonly ConcurrentDictionary<string, Attachment> _attached = new(StringComparer.Ordinal);
    private readonly KeyedLock _locks = new();

    public IEnumerable<AttachedSandbox> Sandboxes => _attached.Values.Select(attachment => attachment.Sandbox);

    public AttachedSandbox? Find(string sandboxId) => _attached.GetValueOrDefault(sandboxId)?.Sandbox;

    /// <summary>Takes a gate, or finds that it is taken already. Null when a younger attempt has it.</summary>
    public async Task<AttachedSandbox?> AttachAsync(GateOrder order)
    {
        using var held = await _locks.EnterAsync(order.SandboxId);
        var sockets = await entry.OpenAsync(order.GatePath);
        if (_attached.TryGetValue(order.SandboxId, out var present))
        {
            if (present.Sandbox.Generation > order.Generation || IsSame(present, order, sockets))
            {
                sockets.Dispose();
                if (present.Sandbox.Generation > order.Generation) return null;
                await ReplaceAsync(present.Sandbox, order.Policy);
                return present.Sandbox;
            }

            await RemoveAsync(present);
        }

        return Take(order, sockets);
    }

    /// <summary>Puts a policy in force, if it is newer, and closes what it forbids. Null when the gate is not attached.</summary>
    public async Task<AttachedSandbox?> UpdateAsync(string sandboxId, long generation, EgressPolicy policy)
    {
        using var held = await _locks.EnterAsync(sandboxId);
        if (Find(sandboxId) is not { } sandbox || sandbox.Generation != generation) return null;
        await ReplaceAsync(sandbox, policy);
        return sandbox;
    }

    /// <summary>Lets a gate go, if this attempt or an older one has it.</summary>
    public async Task DetachAsync(string sandboxId, long generation)
    {
        using var held = await _locks.EnterAsync(sandboxId);
        if (_attached.TryGetValue(sandboxId, out var present) && present.Sandbox.Generation <= generation) await RemoveAsync(present);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Lets all gates go while the audit still takes their last records.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        foreach (var sandbox in Sandboxes.ToList()) await DetachAsync(sandbox.Id, sandbox.Generation);
    }

    private static bool IsSame(Attachment present, GateOrder order, GateSockets sockets) =>
        present.Sandbox.Generation == order.Generation && present.Gate == sockets.Gate;

    private AttachedSandbox Take(GateOrder order, GateSockets sockets)
    {
        var authority = prepared.Take(order.GatePath) ?? SandboxAuthority.Create(order.SandboxId, clock);
        var sandbox = new AttachedSandbox(order.SandboxId, order.Generation, order.OrganizationId, order.Policy, authority, clock);
        var attachment = new Attachment(sandbox, sockets);
        try
        {
            // Before the first question can come.
            audit.Begin(sandbox);
            attachment.Start(flows, dns);
        }
        catch
        {
            sockets.Dispose();
            sandbox.Dispose();
            throw;
        }

        _attached[order.SandboxId] = attachment;
        telemetry.Attached(1);
        audit.Record(sandbox, AuditRecords.PolicyInForce(order.Policy));
        LogAttached(order.SandboxId, order.Generation, order.Policy.Version);
        return sandbox;
    }

    private async Task ReplaceAsync(AttachedSandbox sandbox, EgressPolicy policy)
    {
        var earlier = sandbox.Policy;
        if (!sandbox.TryReplacePolicy(policy)) return;
        audit.Record(sandbox, AuditRecords.PolicyInForce(policy));
        LogReplaced(sandbox.Id, policy.Version);
        await sandbox.Flows.CloseForbiddenAsync(policy, earlier, destinations, clock);
    }

    private async Task RemoveAsync(Attachment attachment)
    {
        _attached.TryRemove(attachment.Sandbox.Id, out _);
        await attachment.DisposeAsync();
        telemetry.Attached(-1);
        LogDetached(attachment.Sandbox.Id, attachment.Sandbox.Generation);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The gate of {SandboxId}, attempt {Generation}, is attached under policy {Version}.")]
    private partial void LogAttached(string sandboxId, long generation, long version);

    [LoggerMessage(Level = LogLevel.Information, Message = "Policy {Version} of {SandboxId} is in force.")]
    private partial void LogReplaced(string sandboxId, long version);

    [LoggerMessage(Level = LogLevel.Information, Message = "The gate of {SandboxId}, attempt {Generation}, is let go.")]
    private partial void LogDetached(string sandboxId, long generation);
}
