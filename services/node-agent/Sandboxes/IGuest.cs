using System.Net.Sockets;

namespace Corral.NodeAgent.Sandboxes;

/// <summary>How guests are started and reached.</summary>
internal interface IGuestConnector
{
    IReadOnlyList<string> Arguments(string token);

    IReadOnlyList<string> Environment(string token);

    /// <summary>Waits until the guest answers, and proves the token to it.</summary>
    Task<IGuest> ConnectAsync(Func<CancellationToken, Task<Socket>> dial, string token, CancellationToken cancellationToken);
}

/// <summary>The guest of one box.</summary>
internal interface IGuest : IAsyncDisposable
{
    /// <summary>Gives the box its tenant's environment.</summary>
    Task ConfigureAsync(string sandboxId, IReadOnlyDictionary<string, string> environment, CancellationToken cancellationToken);
}
