using System.Globalization;
using System.Text;
using Corral.Api.V1;
using Corral.GuestLink;
using Corral.Hosting;
using Corral.NodeAgent.Commands;
using Corral.NodeAgent.Sandboxes;

namespace Corral.NodeAgent.Files;

/// <summary>Searches files with the sandbox's own grep, as the sandbox's user and without a shell.</summary>
internal sealed class Grep(CommandRunner commands)
{
    private const int MaxOutput = 4 << 20;
    private const int MaxErrors = 4096;
    private const int MaxMatches = 10_000;
    private const int Failed = 2;
    private const string Home = "/workspace/";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public async Task<SearchResponse> RunAsync(Box box, SearchRequest request, CancellationToken cancellationToken)
    {
        // A path that is not there is told as such: grep would be silent.
        await box.Guest.StatAsync(request.Path, cancellationToken);
        using var output = new MemoryStream();
        using var errors = new MemoryStream();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var exit = await RunAsync(box, Command(request), output, errors, over, cancellationToken);
        if (exit is { TimedOut: true }) throw RpcErrors.DeadlineExceeded("SEARCH_TIMED_OUT", $"The search took longer than {Patience.TotalSeconds} s.");
        if (exit is { Code: Failed } && output.Length == 0 && errors.Length > 0) throw RpcErrors.InvalidArgument("pattern", Complaint(errors));
        if (exit is { Code: > Failed }) throw RpcErrors.FailedPrecondition("OPERATION_FAILED", "The search did not run to its end.");
        var response = new SearchResponse { Truncated = exit is null };
        Parse(output.GetBuffer().AsSpan(0, (int)output.Length), request.Path, response);
        return response;
    }

    // Null when there was more than is taken, and the rest was not waited for.
    private async Task<CommandExit?> RunAsync(
        Box box, CommandSpec command, MemoryStream output, MemoryStream errors, CancellationTokenSource over, CancellationToken cancellationToken)
    {
        try
        {
            return await commands.RunAsync(box, command, () => ValueTask.CompletedTask, async (kind, payload) =>
            {
                var (stream, room) = kind == Frame.Stdout ? (output, MaxOutput) : (errors, MaxErrors);
                await stream.WriteAsync(payload.AsMemory(0, (int)Math.Min(payload.Length, room - stream.Length)), over.Token);
                if (output.Length == MaxOutput) await over.CancelAsync();
            }, _ => Task.CompletedTask, over);
        }
        catch (OperationCanceledException) when (output.Length == MaxOutput && !cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    private static CommandSpec Command(SearchRequest request) => CommandSpec.Program(
        [
            "/bin/grep", "-rnHIsE", "--null",
            .. request.Include.Length > 0 ? ["--include=" + request.Include] : Array.Empty<string>(),
            .. request.Exclude.SelectMany(name => new[] { "--exclude=" + name, "--exclude-dir=" + name }),
            "-e", request.Pattern, "--", request.Path,
        ], (long)Patience.TotalMilliseconds);

    private static string Complaint(MemoryStream errors)
    {
        var text = Encoding.UTF8.GetString(errors.GetBuffer(), 0, (int)errors.Length).Split('\n')[0];
        return "is not a regular expression: " + (text.IndexOf(": ", StringComparison.Ordinal) is >= 0 and var cut ? text[(cut + 2)..] : text);
    }

    // <path> NUL <line> ":" <content> LF; the last one may be cut.
    private static void Parse(ReadOnlySpan<byte> output, string asked, SearchResponse response)
    {
        while (output.IndexOf((byte)0) is >= 0 and var name)
        {
            var rest = output[(name + 1)..];
            var end = rest.IndexOf((byte)'\n');
            var colon = rest.IndexOf((byte)':');
            if (end < 0 || colon < 0 || colon > end || !long.TryParse(rest[..colon], NumberStyles.None, CultureInfo.InvariantCulture, out var line)) return;
            if (response.Matches.Count == MaxMatches)
            {
                response.Truncated = true;
                return;
            }

            var path = Encoding.UTF8.GetString(output[..name]);
            response.Matches.Add(new SearchMatch
            {
                Path = asked.StartsWith('/') ? path : Home + path,
                Line = line,
                Content = Encoding.UTF8.GetString(rest[(colon + 1)..end]),
            });
            output = rest[(end + 1)..];
        }
    }
}
