using System.Runtime.InteropServices;

namespace Corral.Egress.Host;

/// <summary>The kernel's epoll_event: packed on x86-64, and nowhere else.</summary>
internal static unsafe class EpollEvent
{
    private static readonly int TagOffset = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8;

    public static int Size => TagOffset + 8;

    public static void Write(byte* at, uint events, long tag)
    {
        *(uint*)at = events;
        *(long*)(at + TagOffset) = tag;
    }

    public static uint EventsOf(byte* at) => *(uint*)at;

    public static long TagOf(byte* at) => *(long*)(at + TagOffset);
}
