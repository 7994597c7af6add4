using System.Globalization;
using Corral.Hosting;

namespace Corral.Sessions.Clock;

/// <summary>The time of day at which the host was started, as it was first told: a process that starts again on the same host goes on by it.</summary>
internal sealed class ClockAnchor(string path, string bootId)
{
    public static ClockAnchor OfThisHost => new(Path.Combine(CorralPaths.Home, "clock"), BootTime.BootId);

    /// <summary>Null where there is none, or one of an earlier start of the host.</summary>
    public DateTimeOffset? Read()
    {
        try
        {
            return File.ReadAllText(path).Split(' ') is [var id, var ticks] && id == bootId && long.TryParse(ticks, NumberStyles.None, CultureInfo.InvariantCulture, out var at)
                && at <= DateTimeOffset.MaxValue.Ticks
                ? new DateTimeOffset(at, TimeSpan.Zero)
                : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    public void Write(DateTimeOffset at)
    {
        var temporary = $"{path}.{Path.GetRandomFileName()}";
        File.WriteAllText(temporary, string.Create(CultureInfo.InvariantCulture, $"{bootId} {at.UtcTicks}"));
        File.Move(temporary, path, overwrite: true);
    }
}
