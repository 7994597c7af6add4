using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Text;

namespace Corral.Security.Tests.Lab;

/// <summary>The names of the tests' internet, those included that lead where they should not.</summary>
internal static class Zone
{
    private static readonly TimeSpan Honest = TimeSpan.FromSeconds(1);
    private static readonly IPAddress Private = IPAddress.Parse("10.98.0.5");

    public static void Fill(Nameserver names)
    {
        void Add(string name, params string[] addresses) => names.Zone[name] = [.. addresses.Select(IPAddress.Parse)];
        Add("allowed.test", "203.0.113.10");
        // The same address, as names of one content network have.
        Add("inject.test", "203.0.113.10");
        Add("other.test", "203.0.113.11");
        Add("second.test", "203.0.113.11");
        Add("proxy.test", "203.0.113.80");
        Add("evil.test", "203.0.113.66");
        Add("permitted.test", "10.99.0.5");
        Add("private.test", Private.ToString());
        Add("class-b.test", "172.16.77.5");
        Add("class-c.test", "192.168.77.5");
        Add("loopback.test", "127.0.0.1");
        Add("metadata.test", "169.254.169.254");
        Add("host.test", "203.0.113.1");
        Add("gate.test", "100.64.0.1");
        Add("neighbour.test", "100.64.0.2");
        Add("synthetic.test", "198.18.0.1");
        Add("benchmark.test", "198.19.255.1");
        Add("zero.test", "0.0.0.0");
        Add("broadcast.test", "255.255.255.255");
        Add("multicast.test", "224.0.0.251");
        Add("mapped.test", "::ffff:10.98.0.5");
        Add("nat64.test", "64:ff9b::a62:5");
        Add("sixtofour.test", "2002:a62:5::1");
        Add("unique-local.test", "fd00:113::5");
        Add("link-local.test", "fe80::1");
        Add("loopback6.test", "::1");
        names.Forged["alias.wild.test"] = query => [Alias(query, "private.test")];
        names.Unlisted = Below(new ConcurrentDictionary<string, long>());
    }

    // Every name below wild.test is there; one that begins with flip- moves inside a second after it was first asked for.
    private static Func<string, IPAddress[]?> Below(ConcurrentDictionary<string, long> asked) => name =>
        !name.EndsWith(".wild.test", StringComparison.OrdinalIgnoreCase) ? null
        : name.StartsWith("flip-", StringComparison.Ordinal) && Stopwatch.GetElapsedTime(asked.GetOrAdd(name, _ => Stopwatch.GetTimestamp())) > Honest ? [Private]
        : [Outside.Allowed];

    // The name is an alias (RFC 1035, 3.3.1), and the address that comes with it is its target's.
    private static byte[] Alias(byte[] query, string target)
    {
        var answer = Nameserver.Answer(query, [Private], 0);
        var name = (byte[])[.. target.Split('.').SelectMany(label => (byte[])[(byte)label.Length, .. Encoding.ASCII.GetBytes(label)]), 0];
        var question = query.AsSpan(12).IndexOf((byte)0) + 12 + 5;
        byte[] alias = [0xC0, 12, 0, 5, 0, 1, 0, 0, 0, 0, 0, (byte)name.Length, .. name];
        byte[] whole = [.. answer[..question], .. alias, .. answer[question..]];
        BinaryPrimitives.WriteUInt16BigEndian(whole.AsSpan(6), (ushort)(BinaryPrimitives.ReadUInt16BigEndian(whole.AsSpan(6)) + 1));
        return whole;
    }
}
