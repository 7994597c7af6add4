namespace Corral.Egress.Flows;

/// <summary>Carries bytes between a sandbox's connection and what was dialled for it. Its tasks do not fail: a broken side breaks the other.</summary>
internal interface IRelay : IDisposable
{
    /// <summary>Carries what the sandbox sends until it has sent all; false when it broke before.</summary>
    Task<bool> UpAsync();

    /// <summary>Carries what the sandbox is sent until that is all; false when it broke before.</summary>
    Task<bool> DownAsync();

    /// <summary>Completes when there is something for the sandbox.</summary>
    Task UpstreamReadableAsync();

    /// <summary>Ends both directions at once.</summary>
    void Abort();
}
