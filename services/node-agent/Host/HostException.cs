using System.Runtime.InteropServices;

namespace Corral.NodeAgent.Host;

/// <summary>A system call or a host tool that failed.</summary>
internal sealed class HostException : Exception
{
    public HostException(string call, int error) : base($"{call}: {Marshal.GetPInvokeErrorMessage(error)} ({error})") => Error = error;

    public HostException(string message) : base(message)
    {
    }

    /// <summary>errno, or 0 when no system call was at fault.</summary>
    public int Error { get; }
}
