using Corral.GuestLink;

namespace Corral.NodeAgent.Commands;

/// <summary>How long a guest is waited for in all. While a caller takes its time over what was read, the guest's does not run.</summary>
internal sealed class ReadingPatience : IDisposable
{
    private readonly TimeProvider _clock;
    private readonly CancellationTokenSource _late;
    private readonly CancellationTokenSource _either;
    private TimeSpan? _left;

    /// <param name="left">So long; null for as long as it takes.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="over">Ends the wait at any time.</param>
    public ReadingPatience(TimeSpan? left, TimeProvider clock, CancellationToken over)
    {
        (_left, _clock) = (left, clock);
        _late = new CancellationTokenSource(Timeout.InfiniteTimeSpan, clock);
        _either = CancellationTokenSource.CreateLinkedTokenSource(_late.Token, over);
    }

    /// <summary>Whether it is at its end.</summary>
    public bool IsOver => _late.IsCancellationRequested;

    public async Task<(byte Kind, byte[] Payload)> ReadAsync(GuestStream stream)
    {
        if (_left is not { } left) return await stream.ReadAsync(_either.Token);
        var began = _clock.GetTimestamp();
        _late.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        var read = await stream.ReadAsync(_either.Token);
        _late.CancelAfter(Timeout.InfiniteTimeSpan);
        _left = left - _clock.GetElapsedTime(began);
        return read;
    }

    public void Dispose()
    {
        _either.Dispose();
        _late.Dispose();
    }
}
