using System.Security.Cryptography.X509Certificates;
using Corral.Egress.Termination;

namespace Corral.Termination.Tests;

/// <summary>The authority of a sandbox.</summary>
public sealed class AuthorityTests
{
    [Fact]
    public void TwoSandboxes_HaveNothingInCommon()
    {
        using var one = SandboxAuthority.Create("sbx-one", TimeProvider.System);
        using var two = SandboxAuthority.Create("sbx-two", TimeProvider.System);
        using var first = X509Certificate2.CreateFromPem(one.CertificatePem);
        using var second = X509Certificate2.CreateFromPem(two.CertificatePem);
        Assert.NotEqual(first.GetPublicKeyString(), second.GetPublicKeyString());
        Assert.False(Verifies(second, Leaf(one, "api.test"), "api.test"));
        Assert.True(Verifies(first, Leaf(one, "api.test"), "api.test"));
        Assert.DoesNotContain("PRIVATE", one.CertificatePem, StringComparison.Ordinal);
    }

    [Fact]
    public void Leaf_IsAServersAndCannotSignItself()
    {
        using var authority = SandboxAuthority.Create("sbx-one", TimeProvider.System);
        var leaf = Leaf(authority, "api.test");
        Assert.False(leaf.Extensions.OfType<X509BasicConstraintsExtension>().Single().CertificateAuthority);
        Assert.Equal(X509KeyUsageFlags.DigitalSignature, leaf.Extensions.OfType<X509KeyUsageExtension>().Single().KeyUsages);
        Assert.Equal("1.3.6.1.5.5.7.3.1", leaf.Extensions.OfType<X509EnhancedKeyUsageExtension>().Single().EnhancedKeyUsages[0].Value);
        Assert.True(leaf.NotAfter - leaf.NotBefore < TimeSpan.FromDays(100));
    }

    [Fact]
    public void Leaf_IsMadeOnce_AndAgainBeforeItExpires()
    {
        var clock = new ManualClock();
        using var authority = SandboxAuthority.Create("sbx-one", clock);
        var first = authority.OptionsFor("api.test");
        Assert.Same(first, authority.OptionsFor("api.test"));
        Assert.NotSame(first, authority.OptionsFor("other.test"));
        clock.Advance(TimeSpan.FromDays(31));
        var second = authority.OptionsFor("api.test");
        Assert.NotSame(first, second);
        Assert.True(second.ServerCertificateContext!.TargetCertificate.NotAfter > first.ServerCertificateContext!.TargetCertificate.NotAfter);
    }

    [Fact]
    public void ManyNames_DoNotFillTheMemory()
    {
        using var authority = SandboxAuthority.Create("sbx-one", TimeProvider.System);
        var first = authority.OptionsFor("n.test");
        for (var i = 0; i < 600; i++) authority.OptionsFor($"n{i}.test");
        Assert.NotSame(first, authority.OptionsFor("n.test"));
    }

    [Fact]
    public void LongName_GetsACertificate()
    {
        using var authority = SandboxAuthority.Create("sbx-one", TimeProvider.System);
        using var root = X509Certificate2.CreateFromPem(authority.CertificatePem);
        var name = string.Join('.', Enumerable.Repeat(new string('a', 60), 4)) + ".test";
        Assert.True(Verifies(root, Leaf(authority, name), name));
    }

    private static X509Certificate2 Leaf(SandboxAuthority authority, string name) => authority.OptionsFor(name).ServerCertificateContext!.TargetCertificate;

    private static bool Verifies(X509Certificate2 root, X509Certificate2 leaf, string name)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(root);
        return chain.Build(leaf) && leaf.MatchesHostname(name);
    }

    private sealed class ManualClock : TimeProvider
    {
        private DateTimeOffset _now = System.GetUtcNow();

        public override DateTimeOffset GetUtcNow() => _now;

        public void Advance(TimeSpan time) => _now += time;
    }
}
