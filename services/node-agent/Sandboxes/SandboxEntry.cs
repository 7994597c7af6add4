namespace Corral.NodeAgent.Sandboxes;

/// <summary>One generation of a sandbox in the table. Changed only under the table's lock.</summary>
internal sealed class SandboxEntry(SandboxOrder order, string isolation) : IDisposable
{
    private readonly CancellationTokenSource _cancel = new();

    public SandboxOrder Order => order;

    public SandboxPhase Phase { get; set; }

    /// <summary>Set once it runs.</summary>
    public Box? Box { get; set; }

    /// <summary>Never fails: its outcome says what happened.</summary>
    public Task<StartOutcome> Starting { get; set; } = null!;

    /// <summary>Whether sessions was last told that commands run.</summary>
    public bool ToldOfWork { get; set; }

    /// <summary>Whether it is about to be told of a change.</summary>
    public bool TellsSoon { get; set; }

    /// <summary>Set by whoever ends it first; everyone who ends it waits for the same.</summary>
    public Task? Ending { get; set; }

    /// <summary>Cancelled when it is ended while it starts.</summary>
    public CancellationToken Cancelled => _cancel.Token;

    public void Cancel() => _cancel.Cancel();

    public void Dispose() => _cancel.Dispose();

    public SandboxView View(BoxDeath? death = null) =>
        new(order.SandboxId, order.Generation, order.OrganizationId, Phase, isolation, Box?.RunningCommands ?? 0, Box?.Gate?.InForce ?? 0, death);
}
