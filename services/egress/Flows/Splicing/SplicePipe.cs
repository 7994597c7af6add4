using System.Runtime.InteropServices;
using Corral.Egress.Host;
using Microsoft.Win32.SafeHandles;

namespace Corral.Egress.Flows.Splicing;

/// <summary>A pipe that bytes rest in on their way from one socket to another, without ever being copied here.</summary>
/// <remarks>
/// The handles are passed as such, never as bare numbers: a number whose connection was closed is soon another's, and the bytes of one
/// tenant would go to the next.
/// </remarks>
internal sealed class SplicePipe : IDisposable
{
    public const int Capacity = 128 * 1024;

    private SplicePipe(SafeFileHandle output, SafeFileHandle input) => (Output, Input) = (output, input);

    /// <summary>Where bytes come out.</summary>
    public SafeFileHandle Output { get; }

    /// <summary>Where bytes go in.</summary>
    public SafeFileHandle Input { get; }

    /// <summary>How many bytes are in it.</summary>
    public int Held { get; private set; }

    public static unsafe SplicePipe Open()
    {
        var ends = stackalloc int[2];
        if (Libc.pipe2(ends, Libc.OCloExec | Libc.ONonBlock) != 0) throw new IOException($"pipe2: error {Marshal.GetLastPInvokeError()}.");
        var pipe = new SplicePipe(new SafeFileHandle(ends[0], true), new SafeFileHandle(ends[1], true));
        Libc.SetPipeSize(pipe.Input, Capacity);
        return pipe;
    }

    /// <summary>Takes bytes from a socket.</summary>
    public SpliceOutcome Fill(SafeHandle socket)
    {
        var (outcome, moved) = Splice(socket, Input, Capacity);
        Held += moved;
        return outcome;
    }

    /// <summary>Gives bytes to a socket.</summary>
    public SpliceOutcome Drain(SafeHandle socket)
    {
        var (outcome, moved) = Splice(Output, socket, Held);
        Held -= moved;
        return outcome;
    }

    public void Dispose()
    {
        Output.Dispose();
        Input.Dispose();
    }

    private static (SpliceOutcome Outcome, int Moved) Splice(SafeHandle from, SafeHandle to, int length)
    {
        nint moved;
        int error;
        do
        {
            moved = Libc.splice(from, 0, to, 0, (nuint)length, Libc.SpliceMove | Libc.SpliceNonBlock);
            error = moved < 0 ? Marshal.GetLastPInvokeError() : 0;
        }
        while (error == Libc.EIntr);

        return moved > 0 ? (SpliceOutcome.Moved, (int)moved)
            : moved == 0 ? (SpliceOutcome.Ended, 0)
            : error == Libc.EAgain ? (SpliceOutcome.Later, 0)
            : (SpliceOutcome.Broken, 0);
    }
}

/// <summary>How a splice went.</summary>
internal enum SpliceOutcome
{
    Moved,

    /// <summary>There will be no more.</summary>
    Ended,

    /// <summary>Not now: the socket tells when.</summary>
    Later,

    Broken,
}
