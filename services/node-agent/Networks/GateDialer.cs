using System.Net;
using System.Net.Sockets;
using Corral.Hosting;
using Corral.NodeAgent.Host;

namespace Corral.NodeAgent.Networks;

/// <summary>
/// Connects to a box from its gate. A socket belongs to the namespace that its maker was in: one thread makes them all, each after entering
/// the gate; connecting and everything after is ordinary asynchronous work.
/// </summary>
internal sealed class GateDialer : IDisposable
{
    private readonly HandOff<(Fd Gate, TaskCompletionSource<Socket> Done)> _wanted = new();
    private readonly Thread _thread;

    public GateDialer()
    {
        _thread = new Thread(Loop, 256 * 1024) { IsBackground = true, Name = "gate-dialer" };
        _thread.Start();
    }

    public async Task<Socket> DialAsync(BoxNetwork network, int port, CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource<Socket>(TaskCreationOptions.RunContinuationsAsynchronously);
        _wanted.Add((network.Gate, done));
        var socket = await done.Task;
        try
        {
            await socket.ConnectAsync(new IPEndPoint(BoxNetwork.BoxAddress, port), cancellationToken);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _wanted.End();
        _thread.Join();
    }

    private void Loop()
    {
        using var home = Fd.Open("/proc/thread-self/ns/net", Libc.ORdOnly);
        foreach (var (gate, done) in _wanted.TakeAll())
        {
            try
            {
                int fd;
                try
                {
                    BoxNetwork.Enter(gate);
                    fd = Libc.socket(Libc.AfInet, Libc.SockStream | Libc.SockCloExec, 0);
                }
                finally
                {
                    // Before anything else: what follows may make the pool start a thread, which would be born where this one is.
                    BoxNetwork.Enter(home);
                }

                done.SetResult(new Socket(new SafeSocketHandle(Libc.Check(fd, "socket"), ownsHandle: true)) { NoDelay = true });
            }
            catch (Exception problem) when (problem is HostException or SocketException or ObjectDisposedException)
            {
                done.SetException(problem);
            }
        }
    }
}
