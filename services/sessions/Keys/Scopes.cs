using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;
using System.Collections.Frozen;
using Corral.Api.V1;
using Corral.Dialect.V1;
using Corral.Hosting;
using Google.Protobuf.Reflection;

namespace Corral.Sessions.Keys;

/// <summary>What keys may be given: the scopes that the public contracts ask for, and those that are documented besides.</summary>
internal static class Scopes
{
    private static readonly string[] Documented =
        ["browser_sessions:create", "browser_sessions:read", "browser_sessions:delete", "sandbox_sessions:create", "sandbox_sessions:read", "sandbox_sessions:delete", "sandbox_sessions:exec"];

    /// <summary>All of them.</summary>
    public static readonly FrozenSet<string> Known = Contracts().SelectMany(service => service.Methods).Select(ScopeOf).OfType<string>()
        .Concat(Documented).Where(scope => scope != Operator.Scope).ToFrozenSet(StringComparer.Ordinal);

    /// <summary>Scopes that a caller gives to a key, in order: known ones, and none that it does not have itself.</summary>
    public static IReadOnlyList<string> Check(CallerIdentity caller, IEnumerable<string> asked)
    {
        var scopes = asked.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        if (scopes.Any(scope => !Known.Contains(scope)))
        {
            throw RpcErrors.InvalidArgument("scopes", "must be among: " + string.Join(", ", Known.Order(StringComparer.Ordinal)));
        }

        return MayGive(caller, scopes)
            ? scopes
            : throw RpcErrors.PermissionDenied(
                "PERMISSION_DENIED", "A key gives others at most the scopes that it has itself.", new Dictionary<string, string> { ["scopes"] = string.Join(' ', caller.Scopes) });
    }

    /// <summary>Whether a caller may have a key made with these scopes. No scopes are all of them.</summary>
    public static bool MayGive(CallerIdentity caller, IReadOnlyCollection<string> scopes) =>
        caller.Scopes.Count == 0 || (scopes.Count > 0 && scopes.All(caller.Scopes.Contains));

    private static string? ScopeOf(MethodDescriptor method) => method.GetOptions()?.GetExtension(DialectExtensions.Call)?.Scope;

    private static IEnumerable<ServiceDescriptor> Contracts() =>
        typeof(SandboxService).Assembly.GetTypes().Where(type => type.Namespace == typeof(SandboxService).Namespace)
            .Select(type => type.GetProperty("Descriptor")?.GetValue(null)).OfType<ServiceDescriptor>();
}
