using System.Net;
using System.Net.Sockets;
using Corral.Egress.Dialing;
using Corral.Egress.Gates;
using Corral.Egress.Policies;

namespace Corral.Egress.Flows;

/// <summary>One connection of a sandbox, from its acceptance to its end.</summary>
internal sealed class Flow : IDisposable
{
    private readonly CancellationTokenSource _closing;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private FlowVerdict? _verdict;
    private IPEndPoint? _remote;
    private long _sent;
    private long _received;
    private long _answered;
    private string? _closeReason;

    public Flow(AttachedSandbox sandbox, Socket client, IPEndPoint destination)
    {
        (Sandbox, Client, Destination) = (sandbox, client, destination);
        _closing = CancellationTokenSource.CreateLinkedTokenSource(sandbox.Detached);
    }

    public AttachedSandbox Sandbox { get; }

    /// <summary>The accepted socket. Only looked at (MSG_PEEK) until somebody takes the flow over.</summary>
    public Socket Client { get; }

    /// <summary>Where the sandbox thinks it is connected to.</summary>
    public IPEndPoint Destination { get; }

    /// <summary>The name that the sandbox got its destination's address for; null when it chose the address itself.</summary>
    public string? AskedName { get; init; }

    /// <summary>Its first bytes, as far as they are known.</summary>
    public Hello Hello { get; set; } = Hello.Silent;

    /// <summary>What was decided about it; null while that is open.</summary>
    public FlowVerdict? Verdict => Volatile.Read(ref _verdict);

    /// <summary>The name that is dialled, normalised; null when it is an address without one.</summary>
    public string? Name => Verdict?.Name;

    /// <summary>The server name of its ClientHello, normalised; null when there was none.</summary>
    public string? ServerName => Hello.Protocol == FlowProtocol.Tls ? Hello.Name : null;

    public FlowProtocol Protocol => Hello.Protocol;

    /// <summary>What let it through.</summary>
    public string Rule => Verdict?.Rule ?? "";

    /// <summary>The proxy that it leaves through, if any: of the policy that it was dialled under, whatever it is judged by later.</summary>
    public UpstreamProxy? Proxy { get; private set; }

    /// <summary>What was dialled for it. Whoever sets it looks whether it is still allowed; whoever changes the policy looks whether it is set.</summary>
    public IPEndPoint? Remote
    {
        get => Volatile.Read(ref _remote);
        set => Interlocked.Exchange(ref _remote, value);
    }

    /// <summary>Cancelled when it must end at once: the policy forbids it now, or the gate is let go.</summary>
    public CancellationToken Closing => _closing.Token;

    /// <summary>Why it was made to end; null when it was not.</summary>
    public string? CloseReason => Volatile.Read(ref _closeReason) ?? (Sandbox.Detached.IsCancellationRequested ? Refusals.Detached : null);

    /// <summary>Bytes that the sandbox sent.</summary>
    public long SentBytes => Interlocked.Read(ref _sent);

    /// <summary>Bytes that the sandbox received.</summary>
    public long ReceivedBytes => Interlocked.Read(ref _received);

    /// <summary>Whether the sandbox has sent anything since the last request of it was answered.</summary>
    public bool HasUnanswered => SentBytes > Interlocked.Read(ref _answered);

    /// <summary>All that the sandbox sent until now is dealt with.</summary>
    public void Answered() => Interlocked.Exchange(ref _answered, SentBytes);

    public void AddSent(long bytes) => Interlocked.Add(ref _sent, bytes);

    public void AddReceived(long bytes) => Interlocked.Add(ref _received, bytes);

    /// <summary>Completed when nothing of it is left.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Judges it by the policy in force, which may change at any moment: whoever changes it judges again what is judged already.</summary>
    public FlowVerdict Judge()
    {
        while (true)
        {
            var policy = Sandbox.Policy;
            var verdict = FlowJudge.Judge(policy, this);
            if (Remote is null) Proxy = policy.Proxy;
            Interlocked.Exchange(ref _verdict, verdict);
            if (ReferenceEquals(policy, Sandbox.Policy)) return verdict;
        }
    }

    /// <summary>Whether a policy forbids what the one before it let through, or wants it done otherwise.</summary>
    public bool IsForbiddenBy(EgressPolicy policy, EgressPolicy earlier, DestinationPolicy destinations)
    {
        if (Verdict is not { Action: not FlowAction.Refuse } verdict) return false;
        var now = FlowJudge.Judge(policy, this);
        // What is terminated may stay so: its requests are judged one by one.
        var same = now.Action == verdict.Action || (verdict.Action == FlowAction.Terminate && now.Action == FlowAction.Splice);
        return !same || now.Name != verdict.Name || !Equals(policy.Proxy, Proxy) || LeadsAstray(policy, earlier, destinations);
    }

    // A name may lead to an address that only a range had opened. Where its requests are answered from is known to them alone: any range that
    // was taken away may have been theirs.
    private bool LeadsAstray(EgressPolicy policy, EgressPolicy earlier, DestinationPolicy destinations) =>
        Verdict!.Action == FlowAction.Terminate ? !policy.ListsRangesOf(earlier) : Remote is { } remote && !destinations.Allows(remote.Address, policy);

    /// <summary>Makes it end, whoever has it now.</summary>
    public void Close(string reason)
    {
        Interlocked.CompareExchange(ref _closeReason, reason, null);
        try
        {
            _closing.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has ended by itself meanwhile.
        }
    }

    public void Dispose()
    {
        Client.Dispose();
        _closing.Dispose();
        _ended.TrySetResult();
    }
}
