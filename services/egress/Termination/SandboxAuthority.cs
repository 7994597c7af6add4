using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Corral.Egress.Termination;

/// <summary>The certificate authority of one sandbox. Its key never leaves this process and dies with the attachment.</summary>
internal sealed class SandboxAuthority : IDisposable
{
    private readonly X509Certificate2 _certificate;

    private SandboxAuthority(X509Certificate2 certificate)
    {
        _certificate = certificate;
        CertificatePem = certificate.ExportCertificatePem();
    }

    public string CertificatePem { get; }

    public static SandboxAuthority Create(string sandboxId, TimeProvider clock)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN=Corral sandbox {sandboxId}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        var now = clock.GetUtcNow();
        return new SandboxAuthority(request.CreateSelfSigned(now.AddDays(-1), now.AddYears(1)));
    }

    public void Dispose() => _certificate.Dispose();
}
