using System.Text.Json;
using Corral.NodeAgent.Host;
using Corral.Tests.Support;

namespace Corral.NodeAgent.Tests;

/// <summary>A small Debian as template, and the guest: made once, kept beside the test program.</summary>
internal static class TestTemplate
{
    public static readonly string Directory = Path.Combine(AppContext.BaseDirectory, "template");

    private static readonly Lazy<string> Made = new(Make);

    /// <summary>The directory to use as CORRAL_TEMPLATES; it has one template, <c>base</c>.</summary>
    public static string Home => Made.Value;

    /// <summary>The guest's program.</summary>
    public static string GuestBinary { get; private set; } = "";

    private static string Make()
    {
        System.IO.Directory.CreateDirectory(Directory);
        var root = Path.Combine(Directory, "root");
        if (!System.IO.Directory.Exists(root))
        {
            var fresh = root + ".new";
            if (System.IO.Directory.Exists(fresh)) System.IO.Directory.Delete(fresh, recursive: true);
            HostProcess.Require(HostProcess.Locate("mmdebstrap"), ["--quiet", "--variant=essential", "--aptopt=Acquire::Retries \"3\"", "bookworm", fresh]);
            System.IO.Directory.Move(fresh, root);
        }

        var guest = GuestBinary = GuestProgram.Path;
        Describe(Directory, "base", "one", root, guest);
        return Directory;
    }

    public static void Describe(string directory, string name, string digest, string root, string guest) =>
        File.WriteAllText(Path.Combine(directory, name + ".json"), JsonSerializer.Serialize(new
        {
            name,
            digest,
            layers = new[] { root },
            environment = new Dictionary<string, string> { ["TEMPLATE"] = name },
            guest,
        }));
}
