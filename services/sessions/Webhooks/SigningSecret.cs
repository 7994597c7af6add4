using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Corral.Sessions.Webhooks;

/// <summary>Secrets and signatures of the Standard Webhooks specification: <c>whsec_</c> and base64; <c>v1,</c> and the base64 of HMAC-SHA256.</summary>
internal static class SigningSecret
{
    private const string Prefix = "whsec_";
    private const int Length = 32;

    public static string New() => Prefix + Convert.ToBase64String(RandomNumberGenerator.GetBytes(Length));

    /// <summary>The header <c>webhook-signature</c>: a signature under each secret.</summary>
    public static string Sign(IEnumerable<string> secrets, string id, long timestamp, byte[] body)
    {
        byte[] signed = [.. Encoding.UTF8.GetBytes(id + "." + timestamp.ToString(CultureInfo.InvariantCulture) + "."), .. body];
        return string.Join(' ', secrets.Select(secret => "v1," + Convert.ToBase64String(HMACSHA256.HashData(Convert.FromBase64String(secret[Prefix.Length..]), signed))));
    }
}
