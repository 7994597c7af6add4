namespace Corral.Egress.Flows;

/// <summary>What is done with a connection.</summary>
/// <param name="Action">That.</param>
/// <param name="Name">The name that is dialled; null for the destination's address.</param>
/// <param name="Rule">What lets it through; empty when it is refused.</param>
/// <param name="Reason">Why it is refused; empty when it is not.</param>
internal sealed record FlowVerdict(FlowAction Action, string? Name, string Rule, string Reason)
{
    public static FlowVerdict Splice(string? name, string rule) => new(FlowAction.Splice, name, rule, "");

    public static FlowVerdict Terminate(string name, string rule) => new(FlowAction.Terminate, name, rule, "");

    public static FlowVerdict Refuse(string? name, string reason) => new(FlowAction.Refuse, name, "", reason);
}

/// <summary>What can be done with a connection.</summary>
internal enum FlowAction
{
    /// <summary>Nothing goes out.</summary>
    Refuse,

    /// <summary>Its bytes are carried as they are.</summary>
    Splice,

    /// <summary>Its requests are read and judged one by one.</summary>
    Terminate,
}
