using System.Text;
using System.Text.RegularExpressions;
using Corral.Api.V1;
using Corral.GuestLink;
using Corral.Hosting;

namespace Corral.NodeAgent.Commands;

/// <summary>A command that was asked for, checked.</summary>
internal sealed partial record CommandSpec(GuestRequest Request, ReadOnlyMemory<byte> Stdin)
{
    private const int MaxCommand = 128 * 1024;
    private static readonly TimeSpan Usual = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan Most = TimeSpan.FromHours(24);

    public static CommandSpec Of(RunRequest request) => new(
        Parse(request.Command, request.Args, request.HasTimeoutMs ? request.TimeoutMs : null, request.Cwd, request.Env, request.User), request.Stdin.Memory);

    public static CommandSpec Of(StreamRequest request) => new(
        Parse(request.Command, request.Args, request.HasTimeoutMs ? request.TimeoutMs : null, request.Cwd, request.Env, request.User), request.Stdin.Memory);

    /// <summary>A terminal's shell, of the sandbox's user.</summary>
    public static CommandSpec Shell(int columns, int rows) => new(
        new GuestRequest { Op = "run", Command = ["/bin/bash"], Columns = Within(columns), Rows = Within(rows) }, default);

    public static CommandSpec Of(StartCommand command)
    {
        var request = Parse(command.Command, command.Args, command.HasTimeoutMs && command.TimeoutMs != 0 ? command.TimeoutMs : null, command.Cwd, command.Env, command.User);
        if (!command.HasTimeoutMs || command.TimeoutMs == 0) request = request with { TimeoutMs = 0 };
        return new CommandSpec(command.Terminal is { } size ? request with { Columns = Within(size.Columns), Rows = Within(size.Rows) } : request, default);
    }

    /// <summary>A program, without a shell and its limits: for commands of the platform's own.</summary>
    public static CommandSpec Program(IReadOnlyList<string> command, long? timeoutMs) => new(new GuestRequest { Op = "exec", Command = command, TimeoutMs = Timeout(timeoutMs) }, default);

    /// <summary>A terminal's side, in characters.</summary>
    public static int Within(int side) => side is >= 1 and <= 1000 ? side : throw RpcErrors.InvalidArgument("terminal", "columns and rows must be from 1 to 1000.");

    private static GuestRequest Parse(string command, IReadOnlyList<string> args, long? timeoutMs, string cwd, IReadOnlyDictionary<string, string> env, string user)
    {
        if (command.Length == 0) throw RpcErrors.InvalidArgument("command", "is required.");
        if (args.Prepend(command).Sum(Encoding.UTF8.GetByteCount) > MaxCommand) throw RpcErrors.InvalidArgument("command", $"must be at most {MaxCommand} bytes, arguments included.");
        if (args.Prepend(command).Append(cwd).Any(text => text.Contains('\0', StringComparison.Ordinal))) throw RpcErrors.InvalidArgument("command", "must not contain NUL.");
        if (env.Count > 256 || env.Sum(entry => Encoding.UTF8.GetByteCount(entry.Key) + Encoding.UTF8.GetByteCount(entry.Value)) > 64 * 1024)
            throw RpcErrors.InvalidArgument("env", "must have at most 256 entries and 64 KiB in all.");
        if (env.FirstOrDefault(entry => !VariableName().IsMatch(entry.Key) || entry.Value.Contains('\0', StringComparison.Ordinal)) is { Key: { } bad })
            throw RpcErrors.InvalidArgument("env", $"'{bad}' must have a name of the form [A-Za-z_][A-Za-z0-9_]* and a value without NUL.");
        if (user is not ("" or "user" or "root")) throw RpcErrors.InvalidArgument("user", "must be 'user' or 'root'.");
        return new GuestRequest
        {
            Op = "exec",
            Command = args.Count > 0 ? [command, .. args] : [command],
            Shell = args.Count == 0,
            Root = user == "root",
            Path = cwd,
            Environment = env,
            TimeoutMs = Timeout(timeoutMs),
        };
    }

    private static long Timeout(long? milliseconds) => milliseconds switch
    {
        null => (long)Usual.TotalMilliseconds,
        > 0 and var some when some <= Most.TotalMilliseconds => some,
        _ => throw RpcErrors.InvalidArgument("timeout_ms", $"must be from 1 to {Most.TotalMilliseconds}."),
    };

    [GeneratedRegex("^[A-Za-z_][A-Za-z0-9_]*$")]
    private static partial Regex VariableName();
}
