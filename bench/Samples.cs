using System.Globalization;

namespace Corral.Bench;

/// <summary>Durations of one kind, in milliseconds.</summary>
internal sealed class Samples(string name)
{
    private readonly List<double> _values = [];

    public string Name => name;

    public int Count => _values.Count;

    public double Median => Percentile(50);

    public void Add(TimeSpan duration)
    {
        lock (_values)
        {
            _values.Add(duration.TotalMilliseconds);
        }
    }

    public double Percentile(double percent)
    {
        lock (_values)
        {
            if (_values.Count == 0)
            {
                return double.NaN;
            }

            var sorted = _values.Order().ToArray();
            return sorted[(int)Math.Ceiling(percent / 100 * sorted.Length) - 1];
        }
    }

    public string Row(double yardstick) => string.Create(
        CultureInfo.InvariantCulture,
        $"| {name} | {Count} | {Percentile(50):0.0} | {Percentile(95):0.0} | {Percentile(99):0.0} | {(yardstick / Median):0.0} × |");
}
