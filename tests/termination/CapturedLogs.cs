using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Corral.Termination.Tests;

/// <summary>Everything that was logged. Errors fail the test, and so does a secret.</summary>
internal sealed class CapturedLogs : ILoggerProvider
{
    private readonly ConcurrentQueue<(LogLevel Level, string Text)> _lines = [];

    public void AssertClean()
    {
        Assert.DoesNotContain(_lines, line => line.Level >= LogLevel.Error);
        Assert.DoesNotContain(_lines, line => line.Text.Contains(Terminating.Secret, StringComparison.Ordinal));
    }

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

    public void Dispose()
    {
    }

    private sealed class Logger(CapturedLogs logs, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            logs._lines.Enqueue((logLevel, $"{category}: {formatter(state, exception)} {exception}"));
    }
}
