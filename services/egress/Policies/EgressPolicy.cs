using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Net;
using Corral.Addresses;
using Corral.Egress.V1;

namespace Corral.Egress.Policies;

/// <summary>What may leave a sandbox, compiled. Immutable: a change is another policy.</summary>
internal sealed class EgressPolicy
{
    private const string AllowAll = "allow-all";

    private readonly NameIndex<DomainRule> _domains;
    private readonly NameIndex<PolicyTransform> _transforms;
    private readonly FrozenDictionary<string, ImmutableArray<SecretPlaceholder>> _placeholders;
    private readonly ImmutableArray<AddressRange> _ranges;

    internal EgressPolicy(
        long version,
        PolicyMode mode,
        NameIndex<DomainRule> domains,
        NameIndex<PolicyTransform> transforms,
        FrozenDictionary<string, ImmutableArray<SecretPlaceholder>> placeholders,
        ImmutableArray<AddressRange> ranges,
        UpstreamProxy? proxy,
        PolicyLimits limits)
    {
        (Version, Mode, Proxy, Limits) = (version, mode, proxy, limits);
        (_domains, _transforms, _placeholders, _ranges) = (domains, transforms, placeholders, ranges);
    }

    public long Version { get; }

    public PolicyMode Mode { get; }

    public bool AllowsAll => Mode == PolicyMode.AllowAll;

    /// <summary>The proxy that everything leaves through, or null for none.</summary>
    public UpstreamProxy? Proxy { get; }

    public PolicyLimits Limits { get; }

    /// <summary>What it says about a normalised name.</summary>
    public NameMatch Match(string name)
    {
        if (Mode == PolicyMode.DenyAll) return NameMatch.None;
        var transform = _transforms.Find(name);
        var rule = transform is not null ? $"transform:{transform.Pattern}"
            : _domains.Find(name) is { } domain ? $"domain:{domain.Pattern}"
            : AllowsAll ? AllowAll : null;
        return rule is null ? NameMatch.None : new NameMatch(rule, transform, _placeholders.GetValueOrDefault(name, []));
    }

    /// <summary>The listed range that holds an address, or null.</summary>
    public AddressRange? MatchRange(IPAddress address)
    {
        foreach (var range in _ranges)
        {
            if (range.Contains(address)) return range;
        }

        return null;
    }

    /// <summary>What lets a connection to an address through that has no name: "cidr:…", "allow-all", or null.</summary>
    public string? MatchAddress(IPAddress address) => MatchRange(address) is { } range ? $"cidr:{range}" : AllowsAll ? AllowAll : null;

    /// <summary>Whether it lists all ranges that another does.</summary>
    public bool ListsRangesOf(EgressPolicy other) => other._ranges.All(range => _ranges.Contains(range));

    /// <summary>Whether what is dialled under another policy is what would be dialled under this one.</summary>
    public bool DialsAs(EgressPolicy other) => ReferenceEquals(this, other) || (Equals(Proxy, other.Proxy) && ListsRangesOf(other) && other.ListsRangesOf(this));

    internal sealed record DomainRule(DomainPattern Pattern);
}
