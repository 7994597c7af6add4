namespace Corral.Egress.Flows;

/// <summary>Why something was refused: the stable reasons of the audit.</summary>
internal static class Refusals
{
    public const string NameNotAllowed = "NAME_NOT_ALLOWED";
    public const string AddressNotAllowed = "ADDRESS_NOT_ALLOWED";

    /// <summary>A private, local or reserved address, or one of the host itself.</summary>
    public const string AddressDenied = "ADDRESS_DENIED";

    /// <summary>A synthetic address that stands for no name.</summary>
    public const string AddressUnknown = "ADDRESS_UNKNOWN";

    public const string NameNotFound = "NAME_NOT_FOUND";
    public const string ResolverFailed = "RESOLVER_FAILED";
    public const string NameMalformed = "NAME_MALFORMED";
    public const string NameSuspicious = "NAME_SUSPICIOUS";
    public const string QuestionMalformed = "QUESTION_MALFORMED";
    public const string TooManyQuestions = "TOO_MANY_QUESTIONS";
    public const string TooManyNames = "TOO_MANY_NAMES";
    public const string PortDenied = "PORT_DENIED";

    /// <summary>The server name of the ClientHello is not the name that was asked for.</summary>
    public const string ServerNameMismatch = "SERVER_NAME_MISMATCH";
    public const string ServerNameMissing = "SERVER_NAME_MISSING";

    /// <summary>The host of a request is not the name of its connection.</summary>
    public const string HostMismatch = "HOST_MISMATCH";
    public const string RequestMalformed = "REQUEST_MALFORMED";

    /// <summary>CONNECT and TRACE.</summary>
    public const string MethodNotAllowed = "METHOD_NOT_ALLOWED";

    /// <summary>The name has a transform that injects, and a secret goes over TLS only.</summary>
    public const string SecretNeedsTls = "SECRET_NEEDS_TLS";

    /// <summary>It would carry a secret that was revoked.</summary>
    public const string SecretRevoked = "SECRET_REVOKED";

    /// <summary>The server's certificate is not good for its name.</summary>
    public const string CertificateInvalid = "CERTIFICATE_INVALID";

    /// <summary>The server broke off, or did not keep to the protocol.</summary>
    public const string UpstreamFailed = "UPSTREAM_FAILED";

    /// <summary>The server was silent for too long.</summary>
    public const string UpstreamTimeout = "UPSTREAM_TIMEOUT";

    /// <summary>The sandbox went away before the answer was complete.</summary>
    public const string ClientClosed = "CLIENT_CLOSED";

    /// <summary>A ClientHello or request came after the server had spoken.</summary>
    public const string LateHello = "LATE_HELLO";
    public const string HelloMalformed = "HELLO_MALFORMED";
    public const string HelloTimeout = "HELLO_TIMEOUT";
    public const string TooManyConnections = "TOO_MANY_CONNECTIONS";
    public const string TooManyNewConnections = "TOO_MANY_NEW_CONNECTIONS";
    public const string ConnectFailed = "CONNECT_FAILED";
    public const string ConnectTimeout = "CONNECT_TIMEOUT";
    public const string ProxyFailed = "PROXY_FAILED";
    public const string ProxyDenied = "PROXY_DENIED";

    /// <summary>The proxy does not take the user and the password.</summary>
    public const string ProxyAuthentication = "PROXY_AUTHENTICATION";

    /// <summary>The proxy does not go where it is asked to.</summary>
    public const string ProxyRefused = "PROXY_REFUSED";

    /// <summary>The policy was changed, and forbids what was open.</summary>
    public const string PolicyChanged = "POLICY_CHANGED";
    public const string Detached = "DETACHED";
    public const string Failed = "FAILED";
}
