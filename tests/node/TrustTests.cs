using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Xunit;

namespace Corral.NodeAgent.Tests;

/// <summary>The certificate that a sandbox is given to trust, in real sandboxes.</summary>
public sealed class TrustTests(SharedNode shared)
{
    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task A_sandbox_trusts_what_it_is_given_and_its_neighbour_does_not(string isolation)
    {
        var node = await shared.GetAsync(isolation);
        var (one, two) = (node.Order(isolation), node.Order(isolation));
        var box = await node.RunAsync(one);
        var neighbour = await node.RunAsync(two);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest("CN=Corral", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        var pem = certificate.ExportCertificatePem();
        await box.Guest.InstallTrustAsync(pem, CancellationToken.None);
        await box.Guest.InstallTrustAsync(pem, CancellationToken.None);
        Assert.EndsWith(pem, await node.UserShAsync(box, "cat /etc/ssl/certs/ca-certificates.crt"), StringComparison.Ordinal);
        Assert.Equal("1", await node.UserShAsync(box, $"grep -c {pem.Split('\n')[1]} /etc/ssl/certs/ca-certificates.crt"));
        Assert.Equal(pem, await node.UserShAsync(box, "cat /usr/local/share/ca-certificates/corral.crt"));
        Assert.Equal("", await node.UserShAsync(neighbour, "ls /etc/ssl/certs/corral.pem /etc/chromium/policies/managed 2>/dev/null"));
        await node.Table.EndAsync(one.SandboxId, 1, CancellationToken.None);
        await node.Table.EndAsync(two.SandboxId, 1, CancellationToken.None);
    }
}
