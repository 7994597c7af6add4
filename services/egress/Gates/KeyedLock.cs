namespace Corral.Egress.Gates;

/// <summary>One at a time for each key. Keys share a few locks: two of them may wait for each other's turn, never for ever.</summary>
internal sealed class KeyedLock
{
    private readonly SemaphoreSlim[] _locks = [.. Enumerable.Range(0, 64).Select(_ => new SemaphoreSlim(1))];

    public async Task<Held> EnterAsync(string key)
    {
        var mine = _locks[(uint)key.GetHashCode(StringComparison.Ordinal) % _locks.Length];
        await mine.WaitAsync();
        return new Held(mine);
    }

    internal readonly struct Held(SemaphoreSlim mine) : IDisposable
    {
        public void Dispose() => mine.Release();
    }
}
