using System.Security.Cryptography;

namespace Corral.NodeAgent.Host;

/// <summary>Names of boxes and networks on this host. A box is named before it has a tenant, so never by the tenant.</summary>
internal static class BoxName
{
    public static string New() => RandomNumberGenerator.GetString("abcdefghijkmnpqrstuvwxyz23456789", 12);
}
