namespace Corral.Egress.Flows;

/// <summary>What a connection's first bytes were.</summary>
internal enum FlowProtocol
{
    /// <summary>Anything else, or nothing yet.</summary>
    Opaque,

    /// <summary>A TLS ClientHello.</summary>
    Tls,

    /// <summary>An HTTP request in plain text, or the preface of HTTP/2.</summary>
    Http,
}
