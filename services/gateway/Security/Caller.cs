using Corral.Hosting;

namespace Corral.Gateway.Security;

/// <summary>Who makes a request.</summary>
/// <param name="Identity">What the called services are told.</param>
/// <param name="Plan">The organisation's plan.</param>
internal sealed record Caller(CallerIdentity Identity, string Plan)
{
    /// <summary>Whether the key may do what a scope covers. A key without scopes may do everything.</summary>
    public bool May(string scope) => Identity.Scopes.Count == 0 || Identity.Scopes.Contains(scope);
}
