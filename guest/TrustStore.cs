using System.Buffers.Text;
using System.Text;

namespace Corral.Guest;

/// <summary>Where programs inside look for certificates that they trust. At most one of ours is there at a time.</summary>
/// <remarks>
/// Our own copy is written first and the tools' copy last: interrupted at any point, the next call finds in one of them what it has to take
/// out of the bundle. Java keeps a store of its own form and is the template's matter.
/// </remarks>
internal static class TrustStore
{
    private const string Own = "/etc/ssl/certs/corral.pem";
    private const string Bundle = "/etc/ssl/certs/ca-certificates.crt";

    // What update-ca-certificates makes the bundle from, when it runs inside.
    private const string Local = "/usr/local/share/ca-certificates/corral.crt";
    private const string Chromium = "/etc/chromium/policies/managed/corral.json";

    private const string Begin = "-----BEGIN CERTIFICATE-----";
    private const string End = "-----END CERTIFICATE-----";
    private const int MaxCertificate = 64 * 1024;
    private const int MaxBundle = 8 << 20;
    private const int LineLength = 64;
    private const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>Trusts a certificate in place of the one before.</summary>
    /// <exception cref="FormatException">It is not one certificate in PEM form.</exception>
    public static void Install(string pem)
    {
        var body = Parse(pem);
        var earlier = Bodies(Read(Own)).Concat(Bodies(Read(Local))).Where(other => other != body).ToHashSet(StringComparer.Ordinal);
        var certificate = Pem(body);
        Write(Own, certificate);
        Write(Bundle, Renew(Read(Bundle), body, earlier));
        Write(Local, certificate);
        Write(Chromium, $"{{\"CACertificates\":[\"{body}\"]}}\n");
    }

    // The base64 of one certificate, and nothing that a reader of the bundle could take for anything else.
    private static string Parse(string pem)
    {
        var blocks = Bodies(pem).ToList();
        if (blocks.Count != 1 || pem.Length > MaxCertificate)
        {
            throw new FormatException("Not one certificate in PEM form.");
        }

        var der = new byte[Base64.GetMaxDecodedFromUtf8Length(blocks[0].Length)];
        return Convert.TryFromBase64String(blocks[0], der, out var length) && IsSequence(der.AsSpan(0, length))
            ? Convert.ToBase64String(der, 0, length)
            : throw new FormatException("Not a certificate in PEM form.");
    }

    // X.690: a certificate is one SEQUENCE with a length of two bytes, since none is shorter than 256 bytes or longer than 64 KiB.
    private static bool IsSequence(ReadOnlySpan<byte> der) => der is [0x30, 0x82, var high, var low, ..] && der.Length == 4 + (high << 8) + low;

    private static string Renew(string bundle, string body, HashSet<string> earlier)
    {
        var renewed = new StringBuilder(bundle.Length + MaxCertificate);
        var from = 0;
        foreach (var (start, end) in Blocks(bundle))
        {
            var held = Body(bundle, start, end);
            if (held != body && !earlier.Contains(held))
            {
                continue;
            }

            renewed.Append(bundle, from, start - from);
            from = end < bundle.Length && bundle[end] == '\n' ? end + 1 : end;
        }

        renewed.Append(bundle, from, bundle.Length - from);
        if (renewed.Length > 0 && renewed[^1] != '\n')
        {
            renewed.Append('\n');
        }

        return renewed.Append(Pem(body)).ToString();
    }

    private static IEnumerable<string> Bodies(string text) => Blocks(text).Select(block => Body(text, block.Start, block.End));

    private static IEnumerable<(int Start, int End)> Blocks(string text)
    {
        for (var at = 0; (at = text.IndexOf(Begin, at, StringComparison.Ordinal)) >= 0;)
        {
            var end = text.IndexOf(End, at, StringComparison.Ordinal);
            if (end < 0)
            {
                yield break;
            }

            end += End.Length;
            yield return (at, end);
            at = end;
        }
    }

    private static string Body(string text, int start, int end)
    {
        var body = new StringBuilder(end - start);
        foreach (var line in text.AsSpan(start + Begin.Length, end - start - Begin.Length - End.Length).EnumerateLines())
        {
            body.Append(line.Trim());
        }

        return body.ToString();
    }

    private static string Pem(string body)
    {
        var pem = new StringBuilder(body.Length + 128).Append(Begin).Append('\n');
        for (var at = 0; at < body.Length; at += LineLength)
        {
            pem.Append(body, at, Math.Min(LineLength, body.Length - at)).Append('\n');
        }

        return pem.Append(End).Append('\n').ToString();
    }

    // Root inside may have put anything in these places: what is no ordinary file of an ordinary size is replaced unread.
    private static string Read(string path) =>
        FileStatus.TryOf(path, follow: true) is { IsFile: true, Size: <= MaxBundle } ? File.ReadAllText(path, Encoding.Latin1) : "";

    private static void Write(string path, string text)
    {
        if (Read(path) == text)
        {
            return;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var fresh = path + ".corral-new";
        File.Delete(fresh);
        File.WriteAllText(fresh, text, Encoding.Latin1);
        File.SetUnixFileMode(fresh, Mode);
        File.Move(fresh, path, overwrite: true);
    }
}
