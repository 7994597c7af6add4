// The instance, its sandboxes and the servers that they speak with: all of it lives in a network and a mount namespace of the suite's own.
return PrivateNamespaces.Enter(args) ?? await Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args);
