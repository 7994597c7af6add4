using System.Buffers.Binary;
using System.Net;
using Corral.Addresses;
using Corral.Egress.Policies;

namespace Corral.Egress.Dns;

/// <summary>
/// The addresses that one sandbox was told for names: of a range that is nobody's (198.18.0.0/15), one for each name, so that the name of every
/// connection is known whatever its protocol, and no address means two names.
/// </summary>
/// <remarks>
/// A name's address follows from the name, as far as it is free: after a restart a sandbox's remembered addresses are right again as soon as it
/// asks. When there are too many, those that were used longest ago go.
/// </remarks>
internal sealed class SyntheticNames
{
    private const int Most = 4096, Evicted = 512;
    private const uint Base = 198u << 24 | 18u << 16, Span = 1u << 17;
    private static readonly AddressRange Range = AddressRange.Parse("198.18.0.0/15");

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Entry> _byName = new(StringComparer.Ordinal);
    private readonly Dictionary<uint, Entry> _byAddress = [];
    private long _clock;

    public static bool Holds(IPAddress address) => Range.Contains(address);

    /// <summary>Whether a name has an address already.</summary>
    public bool Knows(string name)
    {
        lock (_lock) return _byName.ContainsKey(name);
    }

    /// <summary>The address of a name.</summary>
    public IPAddress AddressOf(string name)
    {
        lock (_lock)
        {
            if (!_byName.TryGetValue(name, out var entry))
            {
                if (_byName.Count >= Most) Evict();
                entry = new Entry(name, FreeAddressFor(name));
                _byName.Add(name, entry);
                _byAddress.Add(entry.Address, entry);
            }

            entry.Used = ++_clock;
            var bytes = new byte[4];
            BinaryPrimitives.WriteUInt32BigEndian(bytes, entry.Address);
            return new IPAddress(bytes);
        }
    }

    /// <summary>The name that an address was given for, or null.</summary>
    public string? Find(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[4];
        if (!address.TryWriteBytes(bytes, out _)) return null;
        lock (_lock)
        {
            if (!_byAddress.TryGetValue(BinaryPrimitives.ReadUInt32BigEndian(bytes), out var entry)) return null;
            entry.Used = ++_clock;
            return entry.Name;
        }
    }

    // FNV-1a: the same in every process, and not to be guarded against, because who chooses names only collides with itself.
    private uint FreeAddressFor(string name)
    {
        var hash = 2166136261u;
        foreach (var c in name) hash = (hash ^ c) * 16777619u;
        // The first and last addresses of the range look like no host's to some.
        for (var offset = hash; ; offset++)
        {
            var address = Base + 1 + (offset % (Span - 2));
            if (!_byAddress.ContainsKey(address)) return address;
        }
    }

    private void Evict()
    {
        foreach (var entry in _byName.Values.OrderBy(entry => entry.Used).Take(Evicted).ToList())
        {
            _byName.Remove(entry.Name);
            _byAddress.Remove(entry.Address);
        }
    }

    private sealed class Entry(string name, uint address)
    {
        public string Name { get; } = name;

        public uint Address { get; } = address;

        public long Used { get; set; }
    }
}
