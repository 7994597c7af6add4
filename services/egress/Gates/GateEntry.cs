using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Corral.Egress.Host;
using Corral.Hosting;
using Microsoft.Win32.SafeHandles;

namespace Corral.Egress.Gates;

/// <summary>
/// Makes sockets in gates. A socket belongs to the namespace that its maker was in; binding it and all that follows is ordinary work. One
/// thread does it for all gates.
/// </summary>
/// <remarks>
/// While the thread is inside a gate, it must not bear another one: that would stay there, and dial from there. The runtime starts threads
/// of its own whenever it likes (to compile again, to collect), but on the thread that gave it the reason. So inside there are system calls
/// through bare pointers only, in a method that is compiled once and for all: no allocation, no call that is counted.
/// </remarks>
internal sealed class GateEntry : IDisposable
{
    private const int SocketCount = 3;
    private readonly HandOff<(SafeFileHandle Gate, TaskCompletionSource<GateSockets> Done)> _wanted = new();
    private readonly unsafe delegate* unmanaged<int, int, int> _setns;
    private readonly unsafe delegate* unmanaged<int, int, int, int> _socket;
    private readonly Thread _thread;

    public unsafe GateEntry()
    {
        var libc = NativeLibrary.Load("libc.so.6");
        _setns = (delegate* unmanaged<int, int, int>)NativeLibrary.GetExport(libc, "setns");
        _socket = (delegate* unmanaged<int, int, int, int>)NativeLibrary.GetExport(libc, "socket");
        _thread = new Thread(Loop, 256 * 1024) { IsBackground = true, Name = "gate-entry" };
        _thread.Start();
    }

    /// <summary>Makes the sockets of the gate at a path.</summary>
    public async Task<GateSockets> OpenAsync(string path)
    {
        using var gate = Open(path);
        var done = new TaskCompletionSource<GateSockets>(TaskCreationOptions.RunContinuationsAsynchronously);
        _wanted.Add((gate, done));
        return await done.Task;
    }

    public void Dispose()
    {
        _wanted.End();
        _thread.Join();
    }

    private static SafeFileHandle Open(string path)
    {
        var file = Libc.open(path, Libc.OCloExec);
        if (!file.IsInvalid) return file;
        file.Dispose();
        throw new GateException("The gate's namespace is not there.");
    }

    private void Loop()
    {
        using var home = Open("/proc/thread-self/ns/net");
        var homeInode = Libc.InodeOf(home);
        Span<int> made = stackalloc int[SocketCount];
        foreach (var (gate, done) in _wanted.TakeAll())
        {
            var inode = Libc.InodeOf(gate);
            made.Fill(-1);
            // In the host's own namespace the sockets would serve the host.
            if (inode != homeInode && MakeInside((int)gate.DangerousGetHandle(), (int)home.DangerousGetHandle(), made))
            {
                done.SetResult(new GateSockets(made, inode));
                continue;
            }

            foreach (var descriptor in made) new SafeFileHandle(descriptor, ownsHandle: true).Dispose();
            done.SetException(new GateException("The gate's namespace cannot be entered."));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private unsafe bool MakeInside(int gate, int home, Span<int> made)
    {
        if (_setns(gate, Libc.CloneNewNet) != 0) return false;
        made[0] = _socket(Libc.AfInet, Libc.SockStream | Libc.OCloExec, 0);
        made[1] = _socket(Libc.AfInet, Libc.SockStream | Libc.OCloExec, 0);
        made[2] = _socket(Libc.AfInet, Libc.SockDgram | Libc.OCloExec, 0);
        if (_setns(home, Libc.CloneNewNet) != 0) Environment.FailFast("A thread is lost in a gate.");
        return made[0] >= 0 && made[1] >= 0 && made[2] >= 0;
    }
}
