namespace Corral.NodeAgent.Outbound;

/// <summary>
/// Where programs that do not read the system's store look for certificates. Variables that replace a program's own list name the whole
/// bundle, those that add to it our certificate alone.
/// </summary>
internal static class TrustEnvironment
{
    private const string Bundle = "/etc/ssl/certs/ca-certificates.crt";
    private const string Certificate = "/etc/ssl/certs/corral.pem";

    public static readonly IReadOnlyDictionary<string, string> Variables = new Dictionary<string, string>
    {
        ["SSL_CERT_FILE"] = Bundle,
        ["CURL_CA_BUNDLE"] = Bundle,
        ["REQUESTS_CA_BUNDLE"] = Bundle,
        ["PIP_CERT"] = Bundle,
        ["AWS_CA_BUNDLE"] = Bundle,
        ["GIT_SSL_CAINFO"] = Bundle,
        ["CARGO_HTTP_CAINFO"] = Bundle,
        ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = Bundle,
        ["NODE_EXTRA_CA_CERTS"] = Certificate,
        ["DENO_CERT"] = Certificate,
    };
}
