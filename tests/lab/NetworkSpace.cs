using System.Net;
using System.Net.Sockets;
using Corral.NodeAgent.Host;
using Corral.NodeAgent.Networks;

namespace Corral.Tests.Lab;

/// <summary>A network namespace: programs are run and sockets are made in it.</summary>
internal sealed class NetworkSpace(Fd space)
{
    /// <summary>Makes an empty one.</summary>
    public static Task<NetworkSpace> CreateAsync() => HostThread.RunAsync("space", () =>
    {
        Libc.Check(Libc.unshare(Libc.CloneNewNet), "unshare network namespace");
        return new NetworkSpace(Fd.Open("/proc/thread-self/ns/net", Libc.ORdOnly));
    });

    /// <summary>Does something on a thread that is in there.</summary>
    public Task<T> RunAsync<T>(Func<T> work) => HostThread.RunAsync("inside", () =>
    {
        BoxNetwork.Enter(space);
        return work();
    });

    /// <summary>Runs a program in there; its output, and its exit code.</summary>
    public Task<HostProcessResult> RunProgramAsync(string program, string[] arguments, string? input = null) =>
        RunAsync(() => HostProcess.Run(HostProcess.Locate(program), arguments, input));

    /// <summary>Runs <c>ip</c> commands, one a line.</summary>
    public Task IpAsync(string lines) => RunAsync(() => HostProcess.Require(HostProcess.Locate("ip"), ["-batch", "-"], lines));

    public async Task<Socket> SocketAsync(SocketType type, AddressFamily family = AddressFamily.InterNetwork)
    {
        var fd = await RunAsync(() => Libc.Check(
            Libc.socket(family == AddressFamily.InterNetwork ? 2 : 10, (type == SocketType.Stream ? 1 : 2) | Libc.SockCloExec, 0), "socket"));
        return new Socket(new SafeSocketHandle(fd, ownsHandle: true));
    }

    public async Task<Socket> ListenAsync(IPEndPoint address)
    {
        var socket = await SocketAsync(SocketType.Stream, address.AddressFamily);
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        if (address.AddressFamily == AddressFamily.InterNetworkV6) socket.DualMode = true;
        socket.Bind(address);
        socket.Listen(512);
        return socket;
    }
}
