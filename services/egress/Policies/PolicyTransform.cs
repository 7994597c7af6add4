using System.Collections.Immutable;

namespace Corral.Egress.Policies;

/// <summary>What is done to requests on their way: headers are stripped first, then injected.</summary>
/// <param name="pattern">The names it is for, as the policy says them.</param>
/// <param name="strip">Names of headers to take away.</param>
/// <param name="inject">Headers to set.</param>
internal sealed class PolicyTransform(DomainPattern pattern, ImmutableArray<string> strip, ImmutableArray<HeaderInjection> inject)
{
    public DomainPattern Pattern { get; } = pattern;

    public ImmutableArray<string> Strip { get; } = strip;

    public ImmutableArray<HeaderInjection> Inject { get; } = inject;
}
