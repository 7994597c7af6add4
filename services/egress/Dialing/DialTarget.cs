using System.Net;

namespace Corral.Egress.Dialing;

/// <summary>What is to be dialled: a name, or an address where there is no name.</summary>
internal readonly record struct DialTarget
{
    private DialTarget(string? name, IPAddress? address, int port) => (Name, Address, Port) = (name, address, port);

    public string? Name { get; }

    public IPAddress? Address { get; }

    public int Port { get; }

    public static DialTarget To(string name, int port) => new(name, null, port);

    public static DialTarget To(IPEndPoint address) => new(null, address.Address, address.Port);

    public override string ToString() => $"{Name ?? Address?.ToString()}:{Port}";
}
