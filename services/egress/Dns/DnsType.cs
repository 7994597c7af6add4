using System.Globalization;

namespace Corral.Egress.Dns;

/// <summary>The record types and codes that are used here (RFC 1035, 3596, 6891, 8914).</summary>
internal static class DnsType
{
    public const ushort A = 1, Cname = 5, Aaaa = 28, Opt = 41, In = 1;

    /// <summary>The type as people write it.</summary>
    public static string NameOf(ushort type) => type switch
    {
        A => "A",
        2 => "NS",
        Cname => "CNAME",
        6 => "SOA",
        10 => "NULL",
        12 => "PTR",
        15 => "MX",
        16 => "TXT",
        Aaaa => "AAAA",
        33 => "SRV",
        64 => "SVCB",
        65 => "HTTPS",
        255 => "ANY",
        _ => string.Create(CultureInfo.InvariantCulture, $"TYPE{type}"),
    };
}

/// <summary>Response codes.</summary>
internal enum DnsCode
{
    NoError = 0,
    FormatError = 1,
    ServerFailure = 2,
    NameError = 3,
    NotImplemented = 4,
    Refused = 5,
}
