using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Text.RegularExpressions;
using Corral.Addresses;
using Corral.Egress.V1;

namespace Corral.Egress.Policies;

/// <summary>Turns the contract's policy into one that can be asked, or refuses it and says which field is wrong.</summary>
internal static partial class PolicyCompiler
{
    // How many a tenant may have is sessions' setting: this is the most that it can be.
    private const int MaxRules = 10_000, MaxHeaders = 64, MaxValue = 16 * 1024;

    // A header of these would change what a request is, not what it says, or belongs to one connection and is not carried on.
    private static readonly FrozenSet<string> Framing = new[]
    {
        "alpn", "alt-svc", "close", "connection", "content-length", "expect", "host", "http2-settings", "keep-alive", "proxy-authentication-info", "proxy-connection",
        "proxy-features", "proxy-instruction", "security-scheme", "te", "trailer", "transfer-encoding", "upgrade",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>What is in force when no policy was given: nothing leaves. Any policy is newer.</summary>
    public static EgressPolicy Nothing(PolicyLimits defaults) => Build(new Policy { Mode = PolicyMode.DenyAll }, defaults);

    public static EgressPolicy Compile(Policy policy, PolicyLimits defaults)
    {
        CheckShape(policy);
        return Build(policy, defaults);
    }

    private static EgressPolicy Build(Policy policy, PolicyLimits defaults) => new(
        policy.Version, policy.Mode, Domains(policy), Transforms(policy), Placeholders(policy), Ranges(policy),
        policy.UpstreamProxy.Length == 0 ? null : UpstreamProxy.Parse(policy.UpstreamProxy), LimitsOf(policy.Limits, defaults));

    private static void CheckShape(Policy policy)
    {
        Require(policy.Version > 0, "policy.version", "must be above 0.");
        Require(policy.Mode is PolicyMode.AllowAll or PolicyMode.DenyAll or PolicyMode.Custom, "policy.mode", "must be given.");
        var custom = policy.Mode == PolicyMode.Custom;
        Require(custom || policy.AllowDomains.Count == 0, "policy.allow_domains", "go with the custom mode only.");
        Require(custom || policy.AllowCidrs.Count == 0, "policy.allow_cidrs", "go with the custom mode only.");
        Require(policy.Mode != PolicyMode.DenyAll || policy.Transforms.Count == 0, "policy.transforms", "do not go with the mode that denies everything.");
        Require(policy.AllowDomains.Count <= MaxRules, "policy.allow_domains", $"may be at most {MaxRules}.");
        Require(policy.AllowCidrs.Count <= MaxRules, "policy.allow_cidrs", $"may be at most {MaxRules}.");
        Require(policy.Transforms.Count <= MaxRules, "policy.transforms", $"may be at most {MaxRules}.");
    }

    private static NameIndex<EgressPolicy.DomainRule> Domains(Policy policy)
    {
        var index = new NameIndex<EgressPolicy.DomainRule>();
        for (var i = 0; i < policy.AllowDomains.Count; i++)
        {
            var pattern = DomainPattern.Parse($"policy.allow_domains[{i}]", policy.AllowDomains[i]);
            index.TryAdd(pattern, new EgressPolicy.DomainRule(pattern));
        }

        return index;
    }

    private static NameIndex<PolicyTransform> Transforms(Policy policy)
    {
        var index = new NameIndex<PolicyTransform>();
        for (var i = 0; i < policy.Transforms.Count; i++)
        {
            var field = $"policy.transforms[{i}]";
            var transform = TransformOf(field, policy.Transforms[i]);
            Require(index.TryAdd(transform.Pattern, transform), field + ".domain", "is there twice.");
        }

        return index;
    }

    private static PolicyTransform TransformOf(string field, Transform transform)
    {
        var pattern = DomainPattern.Parse(field + ".domain", transform.Domain);
        Require(transform.InjectHeaders.Count <= MaxHeaders, field + ".inject_headers", $"may be at most {MaxHeaders}.");
        Require(transform.StripHeaders.Count <= MaxHeaders, field + ".strip_headers", $"may be at most {MaxHeaders}.");
        foreach (var name in transform.StripHeaders) CheckName(field + ".strip_headers", name);
        foreach (var header in transform.InjectHeaders)
        {
            CheckName(field + ".inject_headers", header.Name);
            if (!IsRevoked(header)) CheckValue(field + ".inject_headers", header.Value);
        }

        return new PolicyTransform(
            pattern, [.. transform.StripHeaders],
            [.. transform.InjectHeaders.Select(header => new HeaderInjection(header.Name, header.Value, [.. header.Secrets]))]);
    }

    private static FrozenDictionary<string, ImmutableArray<SecretPlaceholder>> Placeholders(Policy policy)
    {
        if (policy.Placeholders.Count == 0) return FrozenDictionary<string, ImmutableArray<SecretPlaceholder>>.Empty;
        var named = new List<(string Name, SecretPlaceholder Placeholder)>();
        for (var i = 0; i < policy.Placeholders.Count; i++)
        {
            var field = $"policy.placeholders[{i}]";
            var placeholder = policy.Placeholders[i];
            var pattern = DomainPattern.Parse(field + ".domain", placeholder.Domain);
            Require(!pattern.IsWildcard, field + ".domain", "must be one name.");
            Require(PlaceholderText().IsMatch(placeholder.Text), field + ".text", "must be corral-secret- and 32 lower-case letters and digits.");
            if (!IsRevoked(placeholder)) CheckValue(field + ".value", placeholder.Value);
            named.Add((pattern.Name, new SecretPlaceholder(placeholder.Text, placeholder.Value, placeholder.Secret ?? new SecretUse())));
        }

        return named.GroupBy(pair => pair.Name, pair => pair.Placeholder).ToFrozenDictionary(group => group.Key, group => group.ToImmutableArray());
    }

    private static ImmutableArray<AddressRange> Ranges(Policy policy)
    {
        var ranges = ImmutableArray.CreateBuilder<AddressRange>(policy.AllowCidrs.Count);
        for (var i = 0; i < policy.AllowCidrs.Count; i++)
        {
            var valid = AddressRange.TryParse(policy.AllowCidrs[i], out var range) && !range.IsV6;
            Require(valid, $"policy.allow_cidrs[{i}]", "must be a range of IPv4 addresses such as 198.51.100.0/24.");
            ranges.Add(range);
        }

        return ranges.ToImmutable();
    }

    private static PolicyLimits LimitsOf(Limits? limits, PolicyLimits defaults)
    {
        if (limits is null) return defaults;
        Require(
            limits is { Connections: >= 0, ConnectionsPerSecond: >= 0, BytesPerSecond: >= 0, DnsQuestionsPerSecond: >= 0 },
            "policy.limits", "must not be negative.");
        return new PolicyLimits(
            limits.Connections > 0 ? limits.Connections : defaults.Connections,
            limits.ConnectionsPerSecond > 0 ? limits.ConnectionsPerSecond : defaults.ConnectionsPerSecond,
            limits.BytesPerSecond > 0 ? limits.BytesPerSecond : defaults.BytesPerSecond,
            limits.DnsQuestionsPerSecond > 0 ? limits.DnsQuestionsPerSecond : defaults.QuestionsPerSecond);
    }

    // The secret that the value was made of is no more: what would carry it is refused, request by request.
    private static bool IsRevoked(InjectedHeader header) => header is { Value.Length: 0, Secrets.Count: > 0 };

    private static bool IsRevoked(Placeholder placeholder) => placeholder is { Value.Length: 0, Secret: not null };

    private static void CheckName(string field, string name) =>
        Require(HeaderName().IsMatch(name) && !Framing.Contains(name), field, "has a name that is no header's, or of a header that frames requests.");

    private static void CheckValue(string field, string value) => Require(
        value.Length is > 0 and <= MaxValue && !value.Any(c => c is < ' ' and not '\t' or > '~') && value[0] != ' ' && value[^1] != ' ',
        field, $"has a value that is empty, over {MaxValue} characters, or no header's value.");

    private static void Require(bool condition, string field, string description)
    {
        if (!condition) throw new PolicyException(field, description);
    }

    [GeneratedRegex("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}\\z")]
    private static partial Regex HeaderName();

    [GeneratedRegex("^corral-secret-[a-z0-9]{32}\\z")]
    private static partial Regex PlaceholderText();
}
