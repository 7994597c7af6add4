using System.Globalization;
using System.Text.RegularExpressions;

namespace Corral.Bench;

/// <summary>What wrk says of a run.</summary>
/// <param name="Total">Requests answered.</param>
/// <param name="Rate">Requests a second.</param>
/// <param name="P50">The median of their times, in microseconds.</param>
/// <param name="P99">The 99th percentile.</param>
internal sealed partial record Wrk(double Total, double Rate, double P50, double P99)
{
    /// <summary>Reads wrk's report; fails when a request was refused.</summary>
    public static Wrk Read(string report)
    {
        if (report.Contains("Non-2xx", StringComparison.Ordinal) || report.Contains("Socket errors", StringComparison.Ordinal))
        {
            throw new InvalidOperationException($"Requests were refused:\n{report}");
        }

        var requests = Requests().Match(report);
        var total = double.Parse(requests.Groups[1].Value, CultureInfo.InvariantCulture);
        return new Wrk(total, total / Seconds(requests.Groups[2].Value), Microseconds(P50Line().Match(report)), Microseconds(P99Line().Match(report)));
    }

    private static double Microseconds(Match match) => Seconds(match.Groups[1].Value) * 1e6;

    // "312.00us", "1.26ms", "5.10s", "1.00m"
    private static double Seconds(string text)
    {
        var unit = text.AsSpan().TrimStart("0123456789.");
        var number = double.Parse(text.AsSpan(0, text.Length - unit.Length), CultureInfo.InvariantCulture);
        return unit switch { "us" => number / 1e6, "ms" => number / 1e3, "s" => number, "m" => number * 60, _ => double.NaN };
    }

    [GeneratedRegex(@"(\d+) requests in ([\d.]+\w+)")]
    private static partial Regex Requests();

    [GeneratedRegex(@"50%\s+([\d.]+\w+)")]
    private static partial Regex P50Line();

    [GeneratedRegex(@"99%\s+([\d.]+\w+)")]
    private static partial Regex P99Line();
}
