using System.Net.Sockets;
using System.Text;
using Corral.NodeAgent.Networks;
using Corral.NodeAgent.Sandboxes;

namespace Corral.NodeAgent.Tests;

/// <summary>Speaks to stand-in-guest.c.</summary>
internal sealed class StandInConnector : IGuestConnector
{
    public int Port => 7007;

    public IReadOnlyList<string> Arguments(string token) => [];

    public IReadOnlyList<string> Environment(string token) => ["TOKEN=" + token];

    public async Task<IGuest> ConnectAsync(Func<CancellationToken, Task<Socket>> dial, string token, CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                using var once = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                once.CancelAfter(500);
                (await dial(once.Token)).Dispose();
                return new StandInGuest();
            }
            catch (Exception problem) when (problem is SocketException or OperationCanceledException)
            {
                await Task.Delay(1, CancellationToken.None);
            }
        }
    }

    /// <summary>Runs a shell line in a box, and answers all that it wrote.</summary>
    public static async Task<string> RunAsync(GateDialer dialer, Box box, string line, bool asUser)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        using var socket = await dialer.DialAsync(box.Network, 7007, patience.Token);
        await socket.SendAsync(Encoding.UTF8.GetBytes((asUser ? "u" : "r") + line), patience.Token);
        using var reader = new StreamReader(new NetworkStream(socket));
        return (await reader.ReadToEndAsync(patience.Token)).Trim();
    }

    private sealed class StandInGuest : IGuest
    {
        public Task ConfigureAsync(string sandboxId, IReadOnlyDictionary<string, string> environment, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task<IReadOnlyList<int>> PortsAsync(CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<int>>([]);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
