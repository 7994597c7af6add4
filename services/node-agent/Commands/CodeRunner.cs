using System.Text;
using Corral.GuestLink;
using Corral.Hosting;
using Corral.NodeAgent.Host;
using Corral.NodeAgent.Sandboxes;

namespace Corral.NodeAgent.Commands;

/// <summary>Runs pieces of code: writes them to a file of their own inside, and runs that with the language's program.</summary>
internal sealed class CodeRunner(CommandRunner commands, TimeProvider clock)
{
    private const int MaxCode = 1 << 20;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public async Task<CommandExit> RunAsync(Box box, string code, string language, long? timeoutMs, Func<byte, byte[], ValueTask> output, CancellationToken cancellationToken)
    {
        var bytes = Encoding.UTF8.GetBytes(code);
        if (bytes.Length is 0 or > MaxCode) throw RpcErrors.InvalidArgument("code", $"is required, and must be at most {MaxCode} bytes.");
        var (extension, program) = Program(language.Length > 0 ? language : Usual(box.Record.Template));
        var path = $"/tmp/.code-{BoxName.New()}.{extension}";
        await WriteAsync(box, path, bytes, cancellationToken);
        try
        {
            return await commands.RunAsync(box, CommandSpec.Program([.. program, path], timeoutMs), output, cancellationToken);
        }
        finally
        {
            await DeleteAsync(box, path);
        }
    }

    private static string Usual(string template) => template switch { "bun" => "typescript", "python" => "python", _ => "sh" };

    private static (string Extension, string[] Program) Program(string language) => language switch
    {
        "typescript" => ("ts", ["bun", "run"]),
        "javascript" => ("mjs", ["bun", "run"]),
        "python" => ("py", ["python3"]),
        "sh" => ("sh", ["/bin/sh"]),
        _ => throw RpcErrors.InvalidArgument("language", "must be 'typescript', 'javascript', 'python' or 'sh'."),
    };

    private static async Task WriteAsync(Box box, string path, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await using var stream = await box.Guest.WriteAsync(path, 0x180 /* 0600 */, cancellationToken);
        for (var rest = content; rest.Length > 0; rest = rest[Math.Min(rest.Length, Frame.MaxPayload)..])
            await stream.WriteAsync(Frame.Data, rest[..Math.Min(rest.Length, Frame.MaxPayload)], cancellationToken);
        await stream.WriteAsync(Frame.End, default, cancellationToken);
        await stream.ReadResultAsync(cancellationToken);
    }

    private async Task DeleteAsync(Box box, string path)
    {
        try
        {
            // Not by the caller's patience, which may be at its end.
            using var patience = new CancellationTokenSource(Patience, clock);
            await box.Guest.DeleteAsync(path, recursive: false, patience.Token);
        }
        catch (Exception problem) when (problem is GuestException or OperationCanceledException)
        {
            // The code may have deleted it itself, or the box may be gone.
        }
    }
}
