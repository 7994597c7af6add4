using System.Net.Sockets;

namespace Corral.NodeAgent.Sandboxes;

/// <summary>How guests are started and reached.</summary>
internal interface IGuestConnector
{
    /// <summary>Where a guest listens, on the box's address.</summary>
    int Port { get; }

    IReadOnlyList<string> Arguments(string token);

    IReadOnlyList<string> Environment(string token);

    /// <summary>Waits until the guest answers, and proves the token to it.</summary>
    Task<IGuest> ConnectAsync(Func<CancellationToken, Task<Socket>> dial, string token, CancellationToken cancellationToken);
}

/// <summary>The guest of one box, on the other side of a process and a trust boundary.</summary>
internal interface IGuest : IAsyncDisposable
{
    /// <summary>Gives the box its tenant's environment.</summary>
    Task ConfigureAsync(string sandboxId, IReadOnlyDictionary<string, string> environment, CancellationToken cancellationToken);

    /// <summary>TCP ports that something inside listens on, ascending.</summary>
    Task<IReadOnlyList<int>> PortsAsync(CancellationToken cancellationToken);
}
