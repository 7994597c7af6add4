using Corral.Egress.Flows;

namespace Corral.Egress.Dns;

/// <summary>
/// Bounds what a sandbox can tell the outside by names that it makes up. Each new name below a wildcard costs a little, and its length beyond
/// the usual more: what a browser does fits in, a tunnel gets a few hundred bits a second.
/// </summary>
internal sealed class NameBudget
{
    private const int Saved = 6000, PerSecond = 150, EachCosts = 10, UsualLength = 30;
    private readonly TokenBucket _bucket;

    public NameBudget(TimeProvider clock)
    {
        _bucket = new TokenBucket(clock);
        _bucket.Set(PerSecond, Saved);
    }

    public bool TryPayFor(string name) => _bucket.TryTake(EachCosts + Math.Max(0, name.Length - UsualLength));
}
