namespace Corral.Egress.Flows;

/// <summary>What the first bytes of a connection say.</summary>
/// <param name="State">How much of them there is.</param>
/// <param name="Protocol">What they are.</param>
/// <param name="Name">The server name or host that they say, normalised; null when there is none, or none that is a name.</param>
internal sealed record Hello(HelloState State, FlowProtocol Protocol, string? Name)
{
    /// <summary>Nothing came yet.</summary>
    public static readonly Hello Silent = new(HelloState.Silent, FlowProtocol.Opaque, null);

    /// <summary>Nothing will come: the client has closed its side.</summary>
    public static readonly Hello Ended = new(HelloState.Ended, FlowProtocol.Opaque, null);

    public static readonly Hello Opaque = new(HelloState.Complete, FlowProtocol.Opaque, null);

    public static readonly Hello Incomplete = new(HelloState.Incomplete, FlowProtocol.Opaque, null);

    public static Hello Complete(FlowProtocol protocol, string? name) => new(HelloState.Complete, protocol, name);

    public static Hello Malformed(FlowProtocol protocol) => new(HelloState.Malformed, protocol, null);
}

/// <summary>How much of the first bytes there is.</summary>
internal enum HelloState
{
    /// <summary>None.</summary>
    Silent,

    /// <summary>None, and none will come.</summary>
    Ended,

    /// <summary>Too little to tell.</summary>
    Incomplete,

    /// <summary>Enough.</summary>
    Complete,

    /// <summary>They begin as a protocol and do not go on as one.</summary>
    Malformed,
}
