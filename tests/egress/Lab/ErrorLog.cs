using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Corral.Egress.Tests.Lab;

/// <summary>Everything that the service logs. An error in it fails the test that caused it.</summary>
internal sealed class ErrorLog : ILoggerProvider
{
    public ConcurrentQueue<string> Errors { get; } = [];

    public ConcurrentQueue<string> All { get; } = [];

    public ILogger CreateLogger(string categoryName) => new Logger(this);

    public void Dispose()
    {
    }

    private sealed class Logger(ErrorLog owner) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var text = formatter(state, exception) + exception;
            owner.All.Enqueue(text);
            if (logLevel >= LogLevel.Error) owner.Errors.Enqueue(text);
        }
    }
}
