using System.Collections.Concurrent;
using Corral.Egress.V1;
using Corral.GuestLink;
using Corral.NodeAgent.Host;
using Corral.NodeAgent.Sandboxes;
using Grpc.Core;

namespace Corral.NodeAgent.Outbound;

/// <summary>Gives boxes' gates to egress, under their policies, and takes them back. A gate that egress does not have lets nothing out.</summary>
internal sealed partial class GateAttacher(EgressService.EgressServiceClient egress, TimeProvider clock, ILogger<GateAttacher> log)
{
    // Those whose guests hang must not hold up the rest.
    private const int MostAtOnce = 16;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(3);

    private readonly ConcurrentDictionary<Box, GateAttachment> _attached = new();
    private volatile TaskCompletionSource _up = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _losses;

    /// <summary>Every box whose gate egress has, or should have.</summary>
    public IReadOnlyList<Box> Boxes => [.. _attached.Keys];

    /// <summary>Whether egress does not answer.</summary>
    public bool IsAway => !_up.Task.IsCompleted;

    /// <summary>Waits a moment for an egress that starts; one that is away fails a start before it costs a box.</summary>
    public async Task RequireAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _up.Task.WaitAsync(StartPatience, clock, cancellationToken);
        }
        catch (TimeoutException problem)
        {
            throw new EgressUnavailableException(problem);
        }
    }

    /// <summary>Has a box that waits for its tenant trust its authority already: that is the longest part of a claim. Without it, the claim does it.</summary>
    public async Task PrepareAsync(Box box, CancellationToken cancellationToken)
    {
        if (IsAway) return;
        try
        {
            var answer = await egress.PrepareGateAsync(new PrepareGateRequest { GateNamespace = box.Network.GatePath }, Options(cancellationToken));
            await TrustAsync(box, answer.CaCertificatePem, cancellationToken);
        }
        catch (RpcException problem)
        {
            LogNotPrepared(box.Name, problem.StatusCode);
        }
    }

    /// <summary>Attaches the gate of a box that gets its tenant: when this ends, the policy is in force. Answers the certificate that the box must trust.</summary>
    public async Task<string> AttachAsync(Box box, SandboxOrder order, Policy policy, CancellationToken cancellationToken)
    {
        var attachment = new GateAttachment(order.SandboxId, order.Generation, order.OrganizationId, box.Network.GatePath);
        box.Gate = _attached[box] = attachment;
        await attachment.Turn.WaitAsync(cancellationToken);
        try
        {
            attachment.Policy = policy;
            var losses = Volatile.Read(ref _losses);
            await AttachAsync(box, attachment, policy, cancellationToken);
            PutInForce(attachment, policy.Version, losses);
            return attachment.Certificate;
        }
        finally
        {
            attachment.Turn.Release();
        }
    }

    /// <summary>Puts a policy in force, if it is no older than the one that is; answers the version in force.</summary>
    public async Task<long> UpdateAsync(Box box, Policy policy, CancellationToken cancellationToken)
    {
        var attachment = _attached.GetOrAdd(box, static box => box.Gate = new GateAttachment(
            box.Record.SandboxId, box.Record.Generation, box.Record.OrganizationId, box.Network.GatePath));
        await attachment.Turn.WaitAsync(cancellationToken);
        try
        {
            if (policy.Version > attachment.InForce)
            {
                await ReplaceAsync(box, attachment, policy, cancellationToken);
            }

            return attachment.InForce;
        }
        finally
        {
            attachment.Turn.Release();
        }
    }

    /// <summary>Lets a gate go. Should egress be away, it has none; should the call be lost, the next connection finds a gate that is nobody's.</summary>
    public async Task DetachAsync(Box box)
    {
        if (_attached.TryRemove(box, out var attachment)) attachment.InForce = 0;
        // One that was adopted is let go too, whose policy nobody has told again yet. A box without a tenant has no gate to let go.
        if (box.Record.SandboxId.Length > 0 || attachment is not null)
            await DetachAsync(attachment?.SandboxId ?? box.Record.SandboxId, attachment?.Generation ?? box.Record.Generation);
    }

    public async Task DetachAsync(string sandboxId, long generation)
    {
        try
        {
            await egress.DetachAsync(new DetachRequest { SandboxId = sandboxId, Generation = generation }, Options(CancellationToken.None));
        }
        catch (RpcException problem)
        {
            LogNotDetached(sandboxId, problem.StatusCode);
        }
    }

    /// <summary>Takes note that egress answers, and has these gates; gives it those that it lacks. Boxes whose version in force changed are answered.</summary>
    public async Task<IReadOnlyList<Box>> ConnectedAsync(IReadOnlyDictionary<(string SandboxId, long Generation), AttachedGate> gates, CancellationToken cancellationToken)
    {
        _up.TrySetResult();
        var told = new ConcurrentBag<Box>();
        var together = new ParallelOptions { MaxDegreeOfParallelism = MostAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(Boxes, together, async (box, cancel) =>
        {
            if (await TryRenewAsync(box, gates, cancel)) told.Add(box);
        });
        return [.. told];
    }

    /// <summary>Takes note that egress is away.</summary>
    public void Disconnected()
    {
        if (_up.Task.IsCompleted) _up = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Interlocked.Increment(ref _losses);
        foreach (var attachment in _attached.Values) attachment.InForce = 0;
    }

    private async Task<bool> TryRenewAsync(Box box, IReadOnlyDictionary<(string SandboxId, long Generation), AttachedGate> gates, CancellationToken cancellationToken)
    {
        if (!_attached.TryGetValue(box, out var attachment)) return false;
        await attachment.Turn.WaitAsync(cancellationToken);
        try
        {
            if (attachment is not { Policy: { } policy, InForce: 0 }) return false;
            var isThere = gates.GetValueOrDefault((attachment.SandboxId, attachment.Generation))?.PolicyVersion == policy.Version;
            if (isThere && attachment.Certificate == box.Trusted) attachment.InForce = policy.Version;
            else await RenewAsync(box, attachment, policy, cancellationToken);
            return true;
        }
        catch (Exception problem) when (!cancellationToken.IsCancellationRequested)
        {
            // It is not in force: sessions sees that and tells its policy again.
            LogNotRenewed(problem, attachment.SandboxId);
            return false;
        }
        finally
        {
            attachment.Turn.Release();
        }
    }

    private async Task ReplaceAsync(Box box, GateAttachment attachment, Policy policy, CancellationToken cancellationToken)
    {
        var before = attachment.Policy;
        var losses = Volatile.Read(ref _losses);
        if (before is null || policy.Version >= before.Version) attachment.Policy = policy;
        try
        {
            if (attachment.InForce > 0)
            {
                var request = new UpdatePolicyRequest { SandboxId = attachment.SandboxId, Generation = attachment.Generation, Policy = attachment.Policy };
                PutInForce(attachment, (await egress.UpdatePolicyAsync(request, Options(cancellationToken))).Version, losses);
                return;
            }
        }
        catch (RpcException problem) when (problem.StatusCode == StatusCode.NotFound)
        {
            // An egress that began anew, and has not been given this gate yet.
        }
        catch (RpcException problem)
        {
            if (problem.StatusCode == StatusCode.InvalidArgument) attachment.Policy = before;
            throw Translate(problem);
        }

        await RenewAsync(box, attachment, attachment.Policy!, cancellationToken);
    }

    // In force only once the box trusts it too: a trust that failed is tried again with the policy that is told again.
    private async Task RenewAsync(Box box, GateAttachment attachment, Policy policy, CancellationToken cancellationToken)
    {
        attachment.InForce = 0;
        var losses = Volatile.Read(ref _losses);
        await AttachAsync(box, attachment, policy, cancellationToken);
        await TrustAsync(box, attachment.Certificate, cancellationToken);
        PutInForce(attachment, policy.Version, losses);
    }

    // Of an egress that was lost meanwhile, nothing is in force.
    private void PutInForce(GateAttachment attachment, long version, int losses)
    {
        attachment.InForce = version;
        if (Volatile.Read(ref _losses) != losses) attachment.InForce = 0;
    }

    private async Task AttachAsync(Box box, GateAttachment attachment, Policy policy, CancellationToken cancellationToken)
    {
        var request = new AttachRequest
        {
            SandboxId = attachment.SandboxId,
            Generation = attachment.Generation,
            OrganizationId = attachment.OrganizationId,
            GateNamespace = attachment.GateNamespace,
            Policy = policy,
        };
        try
        {
            var answer = await egress.AttachAsync(request, Options(cancellationToken));
            if (!box.IsDead)
            {
                attachment.Certificate = answer.CaCertificatePem;
                return;
            }
        }
        catch (RpcException problem)
        {
            throw Translate(problem);
        }

        // It was let go meanwhile, and must not be left behind.
        _attached.TryRemove(box, out _);
        await DetachAsync(attachment.SandboxId, attachment.Generation);
        throw new HostException("The sandbox is gone.");
    }

    // Root inside can have its guest wait for ever.
    private async Task TrustAsync(Box box, string certificate, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Patience, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            await box.TrustAsync(certificate, both.Token);
        }
        catch (OperationCanceledException problem) when (!cancellationToken.IsCancellationRequested)
        {
            throw new GuestException("lost", "The guest does not take the certificate.", problem);
        }
    }

    private static Exception Translate(RpcException problem) => problem.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded
        ? new EgressUnavailableException(problem)
        : problem;

    private CallOptions Options(CancellationToken cancellationToken) =>
        new(deadline: clock.GetUtcNow().UtcDateTime + Patience, cancellationToken: cancellationToken);

    [LoggerMessage(Level = LogLevel.Debug, Message = "The authority of box {Box} is not made ahead: {Code}.")]
    private partial void LogNotPrepared(string box, StatusCode code);

    [LoggerMessage(Level = LogLevel.Information, Message = "The gate of sandbox {SandboxId} could not be let go: {Code}.")]
    private partial void LogNotDetached(string sandboxId, StatusCode code);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The gate of sandbox {SandboxId} could not be attached again; nothing leaves it.")]
    private partial void LogNotRenewed(Exception problem, string sandboxId);
}
