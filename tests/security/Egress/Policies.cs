using System.Text.Json.Nodes;

namespace Corral.Security.Tests.Egress;

/// <summary>What the attacked sandboxes may do.</summary>
internal static class Policies
{
    /// <summary>The value that is injected for inject.test: nothing of it may ever be inside.</summary>
    public const string Injected = "injected-literal-7b31c0ddf2a94e58";

    /// <summary>Two names at one address, one of which gets a secret; a wildcard; a range.</summary>
    public static JsonObject Usual() => Under($$"""
        {"mode": "custom", "allow_domains": ["allowed.test", "other.test", "*.wild.test"], "allow_cidrs": ["198.51.100.0/24"],
         "transforms": [{"domain": "inject.test", "inject_headers": {"Authorization": "Bearer {{Injected}}"}, "strip_headers": ["X-Debug"]}]}
        """);

    public static JsonObject Everything() => Under("""{"mode": "allow-all"}""");

    public static JsonObject Nothing() => Under("""{"mode": "deny-all"}""");

    public static JsonObject Under(string policy) => new() { ["networkPolicy"] = JsonNode.Parse(policy) };
}
