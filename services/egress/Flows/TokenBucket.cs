namespace Corral.Egress.Flows;

/// <summary>So many a second, and as many more at once as one second and a burst give.</summary>
/// <remarks>Whoever takes may go into debt: a large piece is let through whole and pays by waiting afterwards.</remarks>
internal sealed class TokenBucket(TimeProvider clock)
{
    private readonly Lock _lock = new();
    private double _rate;
    private double _burst;
    private double _tokens;
    private long _filled = clock.GetTimestamp();

    /// <summary>Whether there is no limit.</summary>
    public bool IsUnlimited => Volatile.Read(ref _rate) <= 0;

    /// <summary>Sets the rate, 0 for no limit. What was saved is kept, as far as it fits.</summary>
    public void Set(double rate, double burst)
    {
        lock (_lock)
        {
            Fill();
            _tokens = _burst == 0 ? burst : Math.Min(_tokens, burst);
            _burst = burst;
            Volatile.Write(ref _rate, rate);
        }
    }

    /// <summary>Takes so many, if they are there.</summary>
    public bool TryTake(int count = 1)
    {
        lock (_lock)
        {
            if (_rate <= 0) return true;
            Fill();
            if (_tokens < count) return false;
            _tokens -= count;
            return true;
        }
    }

    /// <summary>Takes as many as were used, and says how long to wait before the next use.</summary>
    public TimeSpan Spend(long used)
    {
        lock (_lock)
        {
            if (_rate <= 0) return TimeSpan.Zero;
            Fill();
            _tokens -= used;
            return _tokens >= 0 ? TimeSpan.Zero : TimeSpan.FromSeconds(-_tokens / _rate);
        }
    }

    private void Fill()
    {
        var now = clock.GetTimestamp();
        _tokens = Math.Min(_burst, _tokens + (_rate * clock.GetElapsedTime(_filled, now).TotalSeconds));
        _filled = now;
    }
}
