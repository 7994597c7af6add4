// The instances and the servers outside live in a network and a mount namespace of the suite's own.
return PrivateNamespaces.Enter(args) ?? await Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args);
