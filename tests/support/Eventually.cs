using System.Diagnostics;

namespace Corral.Tests.Support;

/// <summary>Waits for what must become true.</summary>
public static class Eventually
{
    private static readonly TimeSpan Usual = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    /// <summary>Waits until a condition holds; the failure says what was waited for.</summary>
    public static async Task Async(string what, TimeSpan patience, Func<Task<bool>> condition)
    {
        var waited = Stopwatch.StartNew();
        while (!await condition())
        {
            if (waited.Elapsed > patience)
            {
                throw new TimeoutException($"Waited {patience.TotalSeconds:0} s in vain until {what}.");
            }

            await Task.Delay(Pause);
        }
    }

    /// <summary>Waits until a condition holds; the failure says what was waited for.</summary>
    public static Task Async(string what, Func<Task<bool>> condition) => Async(what, Usual, condition);

    /// <summary>Waits until a condition holds; the failure says what was waited for.</summary>
    public static Task Async(string what, Func<bool> condition) => Async(what, Usual, () => Task.FromResult(condition()));
}
