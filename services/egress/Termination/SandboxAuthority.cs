using System.Collections.Concurrent;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Corral.Egress.Termination;

/// <summary>
/// The authority of one sandbox: it signs for the names whose requests are changed on their way. Its key exists here only, and no other
/// sandbox trusts it.
/// </summary>
/// <remarks>
/// It is not name-constrained: it is made before the sandbox's first instruction and lies in the trust stores inside, while a policy may
/// gain a name at any time. A name outside the policy in force is never asked for.
/// </remarks>
internal sealed class SandboxAuthority : IDisposable
{
    // A sandbox can ask for any name below a wildcard; what it does not use again is minted again.
    private const int KeptNames = 512;
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";

    private static readonly TimeSpan Life = TimeSpan.FromDays(3650);
    private static readonly TimeSpan LeafLife = TimeSpan.FromDays(90);
    private static readonly TimeSpan LeafUse = TimeSpan.FromDays(30);

    // The sandbox's clock may be behind.
    private static readonly TimeSpan Skew = TimeSpan.FromDays(1);

    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly ECDsa _leafKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X509Certificate2 _certificate;
    private readonly ConcurrentDictionary<string, Leaf> _leaves = new(StringComparer.Ordinal);
    private readonly TimeProvider _clock;

    private SandboxAuthority(string sandboxId, TimeProvider clock)
    {
        _clock = clock;
        var request = new CertificateRequest($"CN=Corral {sandboxId}, O=Corral", _key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        var now = clock.GetUtcNow();
        using var withKey = request.CreateSelfSigned(now - Skew, now + Life);
        _certificate = X509CertificateLoader.LoadCertificate(withKey.RawData);
        CertificatePem = _certificate.ExportCertificatePem() + "\n";
    }

    /// <summary>What the sandbox must trust.</summary>
    public string CertificatePem { get; }

    public static SandboxAuthority Create(string sandboxId, TimeProvider clock) => new(sandboxId, clock);

    /// <summary>What a server with this name speaks TLS with.</summary>
    public SslServerAuthenticationOptions OptionsFor(string name)
    {
        var now = _clock.GetUtcNow();
        if (_leaves.TryGetValue(name, out var leaf) && now < leaf.RenewAt)
        {
            return leaf.Options;
        }

        if (_leaves.Count >= KeptNames)
        {
            _leaves.Clear();
        }

        leaf = new Leaf(Serve(Mint(name, now)), now + LeafUse);
        _leaves[name] = leaf;
        return leaf.Options;
    }

    // Leaves are left to the collector: a handshake may still be using one.
    public void Dispose()
    {
        _key.Dispose();
        _leafKey.Dispose();
        _certificate.Dispose();
    }

    private static SslServerAuthenticationOptions Serve(X509Certificate2 certificate) => new()
    {
        // Offline: nothing is fetched for a chain that is complete by construction.
        ServerCertificateContext = SslStreamCertificateContext.Create(certificate, additionalCertificates: null, offline: true),
        EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
    };

    private X509Certificate2 Mint(string name, DateTimeOffset now)
    {
        // A common name holds 64 characters at most; clients look at the alternative name.
        var request = new CertificateRequest(name.Length <= 64 ? $"CN={name}" : "CN=Corral", _leafKey, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(ServerAuthentication)], critical: false));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(_certificate, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        var serial = RandomNumberGenerator.GetBytes(16);
        serial[0] &= 0x7f;
        using var signed = request.Create(_certificate.SubjectName, X509SignatureGenerator.CreateForECDsa(_key), now - Skew, now + LeafLife, serial);
        return signed.CopyWithPrivateKey(_leafKey);
    }

    private sealed record Leaf(SslServerAuthenticationOptions Options, DateTimeOffset RenewAt);
}
