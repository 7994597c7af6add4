using Corral.NodeAgent.Host;
using Xunit;

namespace Corral.NodeAgent.Tests;

/// <summary>The copy of crun that boxes are started from.</summary>
public sealed class SealedProgramTests
{
    [Fact]
    public void A_copy_runs_as_the_program_does()
    {
        var copy = SealedProgram.TryCopy("/bin/bash")!;

        Assert.Equal(HostProcess.Run("/bin/bash", ["--version"]), HostProcess.Run(copy.Path, ["--version"]));
    }

    [Fact]
    public void Nobody_can_change_a_copy()
    {
        var copy = SealedProgram.TryCopy("/bin/bash")!;

        // As root, who may open what is read-only.
        Assert.ThrowsAny<Exception>(() => File.WriteAllBytes(copy.Path, [1]));
        Assert.ThrowsAny<Exception>(() =>
        {
            using var file = new FileStream(copy.Path, FileMode.Open, FileAccess.ReadWrite);
            file.WriteByte(1);
            file.Flush();
        });
        Assert.ThrowsAny<Exception>(() => File.AppendAllText(copy.Path, "more"));
        Assert.Equal(File.ReadAllBytes("/bin/bash"), File.ReadAllBytes(copy.Path));
    }

    [Fact]
    public void What_does_not_run_is_no_copy() => Assert.Null(SealedProgram.TryCopy("/etc/hostname"));
}
