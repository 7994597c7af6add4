using System.Collections.Immutable;
using System.Net;

namespace Corral.Egress.Dns;

/// <summary>The resolvers that are asked.</summary>
internal static class ResolverAddresses
{
    private const int DnsPort = 53;
    private const string SystemFile = "/etc/resolv.conf", Keyword = "nameserver";

    public static ImmutableArray<IPEndPoint> Of(EgressOptions options)
    {
        var texts = options.Resolvers.Length > 0 ? options.Resolvers : OfSystem();
        return [.. texts.Select(text => TryParse(text, out var address) ? address : null).OfType<IPEndPoint>()];
    }

    /// <summary>Reads <c>address</c> or <c>address:port</c>.</summary>
    public static bool TryParse(string text, out IPEndPoint address)
    {
        if (IPAddress.TryParse(text, out var alone))
        {
            address = new IPEndPoint(alone, DnsPort);
            return true;
        }

        return IPEndPoint.TryParse(text, out address!) && address.Port > 0;
    }

    private static string[] OfSystem() => File.Exists(SystemFile)
        ? [.. File.ReadLines(SystemFile).Select(line => line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)).Where(words => words is [Keyword, _, ..]).Select(words => words[1])]
        : [];
}
