using Corral.GuestLink;
using Corral.NodeAgent.Networks;
using Corral.NodeAgent.Outbound;

namespace Corral.NodeAgent.Sandboxes;

/// <summary>A box whose guest answers.</summary>
internal sealed class Box : IDisposable
{
    private readonly TaskCompletionSource<BoxDeath> _died = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _gone = new();
    private int _running;

    public Box(BoxRecord record, BoxNetwork network, GuestConnection guests)
    {
        Record = record;
        Network = network;
        Guest = guests.Open(network, record.Token, _gone.Token);
    }

    public string Name => Record.Box;

    public BoxRecord Record { get; private set; }

    public BoxNetwork Network { get; }

    public GuestClient Guest { get; }

    /// <summary>Completes when its first process is gone, whoever ended it.</summary>
    public Task<BoxDeath> Died => _died.Task;

    public bool IsDead => _died.Task.IsCompleted;

    /// <summary>Commands that run in it now.</summary>
    public int RunningCommands => Volatile.Read(ref _running);

    public IDisposable? DeathWatch { get; set; }

    /// <summary>Its gate, as egress was told of it; null when it was not: nothing leaves.</summary>
    public GateAttachment? Gate { get; set; }

    /// <summary>The certificate of ours that it trusts; empty for none.</summary>
    public string Trusted { get; private set; } = "";

    /// <summary>Has it trust a certificate, in place of the one before.</summary>
    public async Task TrustAsync(string certificate, CancellationToken cancellationToken)
    {
        if (Trusted == certificate) return;
        await Guest.InstallTrustAsync(certificate, cancellationToken);
        Trusted = certificate;
    }

    public void Change(BoxRecord record) => Record = record;

    /// <summary>Breaks every connection to the guest, too.</summary>
    public void TellDied(BoxDeath death)
    {
        if (_died.TrySetResult(death)) _ = _gone.CancelAsync();
    }

    public void Dispose()
    {
        _gone.Dispose();
        Gate?.Dispose();
    }

    /// <summary>Counts a command until the answer is disposed; <paramref name="changed"/> is told of each change.</summary>
    public IDisposable BeginCommand(Action changed)
    {
        Interlocked.Increment(ref _running);
        changed();
        return new Command(() =>
        {
            Interlocked.Decrement(ref _running);
            changed();
        });
    }

    private sealed class Command(Action ended) : IDisposable
    {
        private Action? _ended = ended;

        public void Dispose() => Interlocked.Exchange(ref _ended, null)?.Invoke();
    }
}

/// <summary>Why a box stopped: a stable UPPER_SNAKE reason, and the same for a person.</summary>
internal sealed record BoxDeath(string Reason, string Message)
{
    public static readonly BoxDeath OutOfMemory = new("OUT_OF_MEMORY", "The sandbox used more memory than it may.");
    public static readonly BoxDeath Exited = new("EXITED", "The sandbox's first process ended.");
}
