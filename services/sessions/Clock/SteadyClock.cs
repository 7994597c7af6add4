namespace Corral.Sessions.Clock;

/// <summary>The time of day when the host was started, and from then on what has passed: nothing lives longer or shorter because the host's clock was set.</summary>
/// <remarks>
/// The host's clock is believed again where it is off by more than what a correction could be: then the host was restored from a snapshot,
/// or had no time at all when it was started. Deadlines of calls are not kept by this clock, see <see cref="Deadline"/>.
/// </remarks>
internal sealed partial class SteadyClock : TimeProvider
{
    private readonly TimeProvider _host;
    private readonly Func<TimeSpan> _sinceBoot;
    private readonly ClockAnchor _anchor;
    private readonly TimeSpan _largestJump;
    private readonly ILogger<SteadyClock> _log;
    private long _bootTicks;

    public SteadyClock(TimeProvider host, Func<TimeSpan> sinceBoot, ClockAnchor anchor, TimeSpan largestJump, ILogger<SteadyClock> log)
    {
        (_host, _sinceBoot, _anchor, _largestJump, _log) = (host, sinceBoot, anchor, largestJump, log);
        if (anchor.Read() is { } known)
        {
            _bootTicks = known.UtcTicks;
            var off = host.GetUtcNow() - GetUtcNow();
            if (off.Duration() > TimeSpan.FromMinutes(1))
            {
                LogOff(off);
            }
        }
        else
        {
            Believe(host.GetUtcNow());
        }
    }

    public override DateTimeOffset GetUtcNow()
    {
        var steady = new DateTimeOffset(Volatile.Read(ref _bootTicks), TimeSpan.Zero) + _sinceBoot();
        var told = _host.GetUtcNow();
        if ((told - steady).Duration() <= _largestJump)
        {
            return steady;
        }

        LogBelieved(told - steady);
        Believe(told);
        return told;
    }

    private void Believe(DateTimeOffset now)
    {
        var boot = now - _sinceBoot();
        Volatile.Write(ref _bootTicks, boot.UtcTicks);
        _anchor.Write(boot);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The host's clock is off by {Off} from the time that sandboxes are counted by, which goes on as it was.")]
    private partial void LogOff(TimeSpan off);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The host's clock was set by {Off}, which is more than a correction: it is believed.")]
    private partial void LogBelieved(TimeSpan off);
}
