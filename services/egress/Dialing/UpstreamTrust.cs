using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace Corral.Egress.Dialing;

/// <summary>Whom the service believes: the host's own store, and what the operator adds to it.</summary>
internal sealed class UpstreamTrust
{
    private readonly X509Certificate2Collection _added = [];

    public UpstreamTrust(EgressOptions options)
    {
        if (options.TrustedAuthorities is not { Length: > 0 } file)
        {
            return;
        }

        _added.ImportFromPemFile(file);
        using var roots = new X509Store(StoreName.Root, StoreLocation.LocalMachine, OpenFlags.ReadOnly);
        _added.AddRange(roots.Certificates);
    }

    /// <summary>TLS to a server of this name, whose certificate must be good.</summary>
    public SslClientAuthenticationOptions For(string name)
    {
        var policy = new X509ChainPolicy
        {
            RevocationMode = X509RevocationMode.NoCheck,
            // A certificate names where its issuer's lies: fetching that would be a request to wherever a server likes, from this host.
            DisableCertificateDownloads = true,
        };
        if (_added.Count > 0)
        {
            policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            policy.CustomTrustStore.AddRange(_added);
        }

        return new SslClientAuthenticationOptions
        {
            TargetHost = name,
            CertificateChainPolicy = policy,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        };
    }
}
