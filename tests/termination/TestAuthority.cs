using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Corral.Termination.Tests;

/// <summary>The authority of the tests' servers, which the service is told to trust.</summary>
internal sealed class TestAuthority
{
    private readonly X509Certificate2 _certificate;

    public TestAuthority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Servers of the tests", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        var now = TimeProvider.System.GetUtcNow();
        _certificate = request.CreateSelfSigned(now.AddDays(-2), now.AddDays(2));
        PemFile = Path.Combine(Directory.CreateTempSubdirectory("corral-egress-").FullName, "authority.pem");
        File.WriteAllText(PemFile, _certificate.ExportCertificatePem());
    }

    public static TestAuthority Shared { get; } = new();

    public string PemFile { get; }

    /// <summary>A certificate for names; one that has expired where <paramref name="expired"/>.</summary>
    public X509Certificate2 Sign(bool expired, params string[] names)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={names[0]}", key, HashAlgorithmName.SHA256);
        var alternatives = new SubjectAlternativeNameBuilder();
        foreach (var name in names)
        {
            if (IPAddress.TryParse(name, out var address)) alternatives.AddIpAddress(address);
            else alternatives.AddDnsName(name);
        }

        request.CertificateExtensions.Add(alternatives.Build());
        var now = TimeProvider.System.GetUtcNow();
        var signed = request.Create(_certificate, now.AddDays(-1), expired ? now.AddHours(-1) : now.AddDays(1), RandomNumberGenerator.GetBytes(8));
        // Through a container of its own, because a key that is only in memory cannot serve every handshake.
        return X509CertificateLoader.LoadPkcs12(signed.CopyWithPrivateKey(key).Export(X509ContentType.Pkcs12), null);
    }

    /// <summary>A certificate that nobody has signed for.</summary>
    public static X509Certificate2 SelfSigned(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var alternatives = new SubjectAlternativeNameBuilder();
        alternatives.AddDnsName(name);
        request.CertificateExtensions.Add(alternatives.Build());
        var now = TimeProvider.System.GetUtcNow();
        return X509CertificateLoader.LoadPkcs12(request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1)).Export(X509ContentType.Pkcs12), null);
    }
}
