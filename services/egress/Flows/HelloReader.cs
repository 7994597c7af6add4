namespace Corral.Egress.Flows;

/// <summary>Tells from a connection's first bytes what it is. It never fails, whatever they are.</summary>
internal static class HelloReader
{
    /// <summary>As many bytes as are ever looked at; a hello that is longer is malformed.</summary>
    public const int MaxLength = 32 * 1024;

    /// <param name="bytes">What came so far.</param>
    /// <param name="wantsHost">Whether the host of an HTTP request matters, and not only that it is one.</param>
    public static Hello Read(ReadOnlySpan<byte> bytes, bool wantsHost)
    {
        if (bytes.IsEmpty) return Hello.Silent;
        var hello = bytes[0] == ClientHello.HandshakeRecord ? ClientHello.Read(bytes) : HttpPreface.Read(bytes, wantsHost);
        return hello.State == HelloState.Incomplete && bytes.Length >= MaxLength ? Hello.Malformed(hello.Protocol) : hello;
    }
}
