using Corral.Cli;

switch (args)
{
    case ["up"]:
        return await UpCommand.ForegroundAsync();
    case ["up", "--detach"]:
        return await UpCommand.DetachedAsync();
    case ["prepare"]:
        Home.Prepare();
        return 0;
    case ["supervise"]:
        return await UpCommand.SuperviseAsync();
    case ["down"]:
        return await DownCommand.RunAsync();
    case ["status", .. var more] when more is [] or ["--json"]:
        return await StatusCommand.RunAsync(json: more.Length > 0);
    default:
        Console.Error.WriteLine("usage: corral up [--detach] | down | status [--json]");
        return 2;
}
