using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>Keeps errors that were logged: none is expected.</summary>
internal sealed class ErrorLog<T> : ILogger<T>
{
    private readonly ConcurrentQueue<string> _errors = [];

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (logLevel >= LogLevel.Error)
        {
            _errors.Enqueue($"{formatter(state, exception)} {exception}");
        }
    }

    /// <summary>The errors so far, which are thereby expected.</summary>
    public IReadOnlyList<string> Take()
    {
        var taken = new List<string>();
        while (_errors.TryDequeue(out var error))
        {
            taken.Add(error);
        }

        return taken;
    }

    public void AssertEmpty() => Assert.True(_errors.IsEmpty, string.Join("\n", _errors));
}
