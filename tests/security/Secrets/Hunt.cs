using System.Globalization;
using System.Text.Json;
using Corral.Security.Tests.Lab;

namespace Corral.Security.Tests.Secrets;

/// <summary>What was found in one place, and how much was looked at.</summary>
/// <param name="Found">Which needle, and where.</param>
/// <param name="Bytes">How much was read.</param>
internal sealed record Hunt(IReadOnlyList<string> Found, long Bytes)
{
    private static readonly JsonSerializerOptions Lower = new(JsonSerializerDefaults.Web);

    /// <summary>Looks everywhere inside a sandbox, as its root.</summary>
    public static async Task<IReadOnlyDictionary<string, Hunt>> InsideAsync(SecurityLab lab, string sandbox, DateTimeOffset since, params Needles[] needles)
    {
        var masked = "{" + string.Join(",", needles.Select(some => some.Masked()[1..^1])) + "}";
        var printed = await lab.PythonAsync(sandbox, "root", SecurityLab.Program("hunt.py"), masked, since.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture));
        return JsonSerializer.Deserialize<Dictionary<string, Hunt>>(printed, Lower)!;
    }
}
