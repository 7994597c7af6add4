using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Corral.Bench.Egress;

/// <summary>Certificates of the origin and of the peers, as files.</summary>
internal sealed class BenchPki
{
    private readonly string _folder;

    public BenchPki(string folder)
    {
        _folder = folder;
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Bench authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        var now = TimeProvider.System.GetUtcNow();
        using var authority = request.CreateSelfSigned(now.AddDays(-2), now.AddDays(2));
        File.WriteAllText(Authority, authority.ExportCertificatePem() + "\n");
        Sign(authority);
    }

    public string Authority => Path.Combine(_folder, "authority.pem");

    public string Certificate => Path.Combine(_folder, "server.crt");

    public string Key => Path.Combine(_folder, "server.key");

    /// <summary>Certificate and key in one file.</summary>
    public string Both => Path.Combine(_folder, "server.pem");

    private void Sign(X509Certificate2 authority)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=*.bench.test", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("*.bench.test");
        names.AddIpAddress(IPAddress.Parse(BenchNetwork.Origin));
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.Create(authority, now.AddDays(-1), now.AddDays(1), RandomNumberGenerator.GetBytes(8));
        File.WriteAllText(Certificate, certificate.ExportCertificatePem() + "\n");
        File.WriteAllText(Key, key.ExportPkcs8PrivateKeyPem() + "\n");
        File.WriteAllText(Both, File.ReadAllText(Certificate) + File.ReadAllText(Key));
    }
}
