using Corral.Hosting;

namespace Corral.Sessions.Keys;

/// <summary>The one who runs the instance, known by the key that it made at its first start.</summary>
internal static class Operator
{
    /// <summary>The scope of the operator's calls. No key is given it: the operator's has no scopes, and may do everything.</summary>
    public const string Scope = "organizations:manage";

    /// <summary>Refuses anybody else.</summary>
    public static void Check(CallerIdentity caller)
    {
        if (caller.KeyId != KeyStore.BootstrapKeyId)
        {
            throw RpcErrors.PermissionDenied("PERMISSION_DENIED", "Insufficient permissions");
        }
    }
}
