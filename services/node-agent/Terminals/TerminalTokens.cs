using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Corral.NodeAgent.Sandboxes;

namespace Corral.NodeAgent.Terminals;

/// <summary>
/// Tokens that open one terminal of one sandbox for a while: <c>organisation~key~terminal~expiry~proof</c>, the key being the id of the API key
/// with which it was asked for. The proof is made with the sandbox's own secret, so that nothing is kept, a restart forgets none, and all end
/// with their sandbox. That they end with their key, too, is the gateway's part.
/// </summary>
internal sealed class TerminalTokens(TimeProvider clock)
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(15);
    private static readonly byte[] Purpose = "corral.terminal.v1"u8.ToArray();

    public (string Token, DateTimeOffset ExpiresAt) Make(Box box, string keyId, string terminal)
    {
        var expires = DateTimeOffset.FromUnixTimeSeconds((clock.GetUtcNow() + Lifetime).ToUnixTimeSeconds());
        var claim = $"{box.Record.OrganizationId}~{keyId}~{terminal}~{expires.ToUnixTimeSeconds()}";
        return ($"{claim}~{Prove(box, claim)}", expires);
    }

    /// <summary>Whether a token opens this terminal now.</summary>
    public bool Opens(Box box, string terminal, string token)
    {
        var cut = token.LastIndexOf('~');
        if (cut < 0) return false;
        var claim = token[..cut];
        return CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(token[(cut + 1)..]), Encoding.UTF8.GetBytes(Prove(box, claim)))
            && claim.Split('~') is [var organization, _, var name, var expires]
            && organization == box.Record.OrganizationId
            && name == terminal
            && long.Parse(expires, CultureInfo.InvariantCulture) > clock.GetUtcNow().ToUnixTimeSeconds();
    }

    private static string Prove(Box box, string claim)
    {
        var key = HMACSHA256.HashData(Convert.FromHexString(box.Record.Token), Purpose);
        return Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(claim)));
    }
}
