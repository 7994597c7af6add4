// Everything happens in a network and a mount namespace of the suite's own: nothing of it can reach the host, and nothing stays.
return PrivateNamespaces.Enter(args) ?? await Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args);
