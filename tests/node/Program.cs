using Corral.NodeAgent.Tests;

// `node <home> <isolation> <count>` runs a node that starts sandboxes until it is killed; anything else is for the test runner.
return args is ["node", ..] ? await CrashingNode.RunAsync(args) : await Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args);
