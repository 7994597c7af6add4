using Corral.GuestLink;
using Corral.NodeAgent.Commands;
using Corral.NodeAgent.Sandboxes;

namespace Corral.NodeAgent.Terminals;

/// <summary>The shells of terminals: one that runs is looked at, and where none does one is started.</summary>
internal sealed class TerminalShells(LastingCommands commands)
{
    private const int Columns = 80;
    private const int Rows = 24;
    private const int Replay = 256 * 1024;
    private const int Attempts = 3;

    /// <summary>How the shell ended; null when the caller left before.</summary>
    /// <param name="box">The sandbox.</param>
    /// <param name="view">Which terminal, and from where.</param>
    /// <param name="follow">Looks at it.</param>
    public async Task<CommandExit?> ViewAsync(Box box, Api.V1.TerminalView view, Func<GuestStream, GuestPosition, Task<GuestExit?>> follow)
    {
        var run = "terminal:" + view.Terminal;
        var spec = CommandSpec.Shell(view.Size?.Columns ?? Columns, view.Size?.Rows ?? Rows);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                var (ran, exit) = await AttachAsync(box, view, run, follow);
                if (ran) return exit;
                return await commands.StartAsync(box, spec with { Request = spec.Request with { Flag = true } }, run, follow);
            }
            catch (GuestException failure) when (failure.Code == "run_exists" && attempt < Attempts)
            {
                // Another caller was first: it is that one's shell that is looked at.
            }
        }
    }

    // A shell that is over is looked at by those only who had looked at it before: they missed its end.
    private async Task<(bool Ran, CommandExit? Exit)> AttachAsync(Box box, Api.V1.TerminalView view, string run, Func<GuestStream, GuestPosition, Task<GuestExit?>> follow)
    {
        var request = new GuestRequest { Op = "attach", Run = run, Session = view.Session, Offset = view.After, Length = Replay };
        var ran = false;
        try
        {
            var exit = await commands.AttachAsync(box, request, async (stream, position) =>
            {
                ran = !position.IsOver || position.Session == view.Session;
                return ran ? await follow(stream, position) : null;
            });
            return (ran, exit);
        }
        catch (GuestException failure) when (failure.Code == "no_run" && !ran)
        {
            return (false, null);
        }
    }
}
