using System.Collections.Concurrent;

namespace Corral.Sessions.Tests;

/// <summary>What was asked of scheduler and nodes, in order, and where a test steps in.</summary>
internal sealed class Calls
{
    private readonly ConcurrentQueue<string> _made = [];

    /// <summary>The names of all calls that took effect.</summary>
    public IReadOnlyList<string> Made => [.. _made];

    /// <summary>Runs before a call takes effect; may throw.</summary>
    public Func<string, Task> Before { get; set; } = _ => Task.CompletedTask;

    /// <summary>Runs after a call took effect, before its answer; may throw.</summary>
    public Func<string, Task> After { get; set; } = _ => Task.CompletedTask;

    public int Count(string name) => _made.Count(made => made == name);

    public async Task<T> MakeAsync<T>(string name, Func<T> effect)
    {
        await Before(name);
        var answer = effect();
        _made.Enqueue(name);
        await After(name);
        return answer;
    }
}
