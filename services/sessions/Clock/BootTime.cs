using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Corral.Sessions.Clock;

/// <summary>The time since the host was started, with that in which it slept. Nothing that sets its clock changes it.</summary>
internal static partial class BootTime
{
    private const int ClockBootTime = 7;
    private const long NanosecondsPerTick = 100;

    /// <summary>Tells one start of the host from another.</summary>
    public static string BootId => File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();

    public static TimeSpan Elapsed => GetTime(ClockBootTime, out var time) == 0
        ? TimeSpan.FromTicks((time.Seconds * TimeSpan.TicksPerSecond) + (time.Nanoseconds / NanosecondsPerTick))
        : throw new Win32Exception(Marshal.GetLastPInvokeError());

    [LibraryImport("libc", EntryPoint = "clock_gettime", SetLastError = true)]
    private static partial int GetTime(int clock, out TimeSpec time);

    [StructLayout(LayoutKind.Sequential)]
    private readonly struct TimeSpec
    {
        public readonly long Seconds;
        public readonly long Nanoseconds;
    }
}
