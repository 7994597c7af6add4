using System.Text;

namespace Corral.Guest;

/// <summary>Where programs inside look for certificates that they trust. At most one of ours is there at a time.</summary>
/// <remarks>
/// The tools' copy is written first and Chromium's last: interrupted at any point, the next call finds in one of them what it has to take out of
/// the bundle. Java keeps a store of its own form: Debian's packages fill it, when they are installed, from what is linked as here.
/// </remarks>
internal static class TrustStore
{
    private const string Bundle = "/etc/ssl/certs/ca-certificates.crt";

    // What update-ca-certificates makes the bundle from, when it runs inside, and the link that it makes.
    private const string Local = "/usr/local/share/ca-certificates/corral.crt";
    private const string Link = "/etc/ssl/certs/corral.pem";

    private const string Chromium = "/etc/chromium/policies/managed/corral.json";
    private const string PolicyBegin = "{\"CACertificates\":[\"";
    private const string PolicyEnd = "\"]}\n";

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
        var certificate = Encoding.ASCII.GetBytes(Pem(body));
        var bundle = Read(Bundle);
        var renewed = Renew(bundle, certificate, Read(Local), OfPolicy());
        Write(Local, certificate);
        LinkLocal();
        Write(Bundle, renewed);
        Write(Chromium, Encoding.ASCII.GetBytes(PolicyBegin + body + PolicyEnd));
    }

    // The certificate that Chromium's policy holds, as it stands in the bundle; empty when there is none.
    private static byte[] OfPolicy()
    {
        var policy = Encoding.ASCII.GetString(Read(Chromium));
        return policy.Length > PolicyBegin.Length + PolicyEnd.Length
            && policy.StartsWith(PolicyBegin, StringComparison.Ordinal) && policy.EndsWith(PolicyEnd, StringComparison.Ordinal)
            ? Encoding.ASCII.GetBytes(Pem(policy[PolicyBegin.Length..^PolicyEnd.Length]))
            : [];
    }

    // The base64 of one certificate, and nothing that a reader of the bundle could take for anything else.
    private static string Parse(string pem)
    {
        var begin = pem.IndexOf(Begin, StringComparison.Ordinal);
        var end = pem.IndexOf(End, StringComparison.Ordinal);
        if (pem.Length > MaxCertificate || begin < 0 || end < begin || pem.LastIndexOf(Begin, StringComparison.Ordinal) != begin)
        {
            throw new FormatException("Not one certificate in PEM form.");
        }

        var body = pem.AsSpan((begin + Begin.Length)..end);
        var der = new byte[body.Length];
        return Convert.TryFromBase64Chars(body, der, out var length) && IsSequence(der.AsSpan(0, length))
            ? Convert.ToBase64String(der, 0, length)
            : throw new FormatException("Not a certificate in PEM form.");
    }

    // X.690: a certificate is one SEQUENCE with a length of two bytes, since none is shorter than 256 bytes or longer than 64 KiB.
    private static bool IsSequence(ReadOnlySpan<byte> der) => der is [0x30, 0x82, var high, var low, ..] && der.Length == 4 + (high << 8) + low;

    private static string Pem(string body)
    {
        var pem = new StringBuilder(body.Length + 128).Append(Begin).Append('\n');
        for (var at = 0; at < body.Length; at += LineLength)
        {
            pem.Append(body, at, Math.Min(LineLength, body.Length - at)).Append('\n');
        }

        return pem.Append(End).Append('\n').ToString();
    }

    // Ours is always written in the same form, and tools copy it as it is: it is found by its bytes.
    private static byte[] Renew(byte[] bundle, byte[] certificate, params byte[][] earlier)
    {
        var rest = earlier.Append(certificate).Aggregate(bundle, Without);
        return rest.Length == 0 || rest[^1] == '\n' ? [.. rest, .. certificate] : [.. rest, (byte)'\n', .. certificate];
    }

    private static byte[] Without(byte[] bundle, byte[] certificate)
    {
        // A file that is there and says nothing, or says something else, takes nothing out.
        if (!certificate.AsSpan().StartsWith("-----BEGIN CERTIFICATE-----\n"u8))
        {
            return bundle;
        }

        for (int at; (at = bundle.AsSpan().IndexOf(certificate)) >= 0;)
        {
            bundle = [.. bundle[..at], .. bundle[(at + certificate.Length)..]];
        }

        return bundle;
    }

    // Root inside may have put anything in these places: what is no ordinary file of an ordinary size is replaced unread.
    private static byte[] Read(string path) => FileStatus.TryOf(path, follow: true) is { IsFile: true, Size: <= MaxBundle } ? File.ReadAllBytes(path) : [];

    private static void LinkLocal()
    {
        if (new FileInfo(Link).LinkTarget == Local)
        {
            return;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(Link)!);
        const string Fresh = Link + ".corral-new";
        File.Delete(Fresh);
        File.CreateSymbolicLink(Fresh, Local);
        File.Move(Fresh, Link, overwrite: true);
    }

    private static void Write(string path, byte[] content)
    {
        if (Read(path).AsSpan().SequenceEqual(content))
        {
            return;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var fresh = path + ".corral-new";
        File.Delete(fresh);
        // Whatever is put there in the meantime is not opened: a pipe would wait for its reader.
        using (var file = new FileStream(fresh, FileMode.CreateNew, FileAccess.Write, FileShare.None, 0))
        {
            file.Write(content);
            File.SetUnixFileMode(file.SafeFileHandle, Mode);
        }

        File.Move(fresh, path, overwrite: true);
    }
}
