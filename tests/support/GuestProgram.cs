using System.Diagnostics;

namespace Corral.Tests.Support;

/// <summary>The guest's program: the one that CORRAL_TEST_GUEST names, or one built from this repository, once a run.</summary>
public static class GuestProgram
{
    private static readonly Lazy<string> Built = new(Build);

    /// <summary>Where it is.</summary>
    public static string Path => Environment.GetEnvironmentVariable("CORRAL_TEST_GUEST") is { Length: > 0 } given ? given : Built.Value;

    private static string Build()
    {
        var repository = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(System.IO.Path.Combine(repository.FullName, "guest", "publish.sh")))
        {
            repository = repository.Parent ?? throw new InvalidOperationException("The repository was not found above the tests.");
        }

        var directory = System.IO.Path.Combine(AppContext.BaseDirectory, "guest-program");
        using var publish = Process.Start(System.IO.Path.Combine(repository.FullName, "guest", "publish.sh"), directory);
        publish.WaitForExit();
        return publish.ExitCode == 0 ? System.IO.Path.Combine(directory, "corral-guest") : throw new InvalidOperationException("guest/publish.sh failed.");
    }
}
