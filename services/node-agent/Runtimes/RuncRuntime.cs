using Corral.NodeAgent.Host;

namespace Corral.NodeAgent.Runtimes;

/// <summary>runc: the same isolation as <see cref="CrunRuntime"/>, for hosts without a crun that works.</summary>
internal sealed class RuncRuntime(string program, string stateDirectory, string cgroupParent) : IContainerRuntime
{
    private readonly string _state = Path.Combine(stateDirectory, "runc");

    public string Isolation => "runc";

    public string Description { get; } = HostProcess.Run(program, ["--version"]).Output.Split('\n')[0];

    public OciFlavour Flavour { get; } = new() { FirstId = CrunRuntime.FirstId, SeccompSection = true, CgroupsParent = cgroupParent };

    public int Start(string box, string bundle, string? cgroupFile) => RuntimeProcess.Start(
        program,
        ["--root", _state, "--log", RuntimeProcess.Log(bundle), "run", "--detach", "--bundle", bundle, "--pid-file", Path.Combine(bundle, "pid"), box],
        bundle, cgroupFile);

    // It has cgroups of its own making in every hierarchy, which only it knows.
    public void Forget(string box)
    {
        HostProcess.RunRuntime(program, ["--root", _state, "delete", "--force", box]);
        RuntimeProcess.Delete(Path.Combine(_state, box));
    }

    public IReadOnlyList<string> List() =>
        Directory.Exists(_state) ? [.. Directory.EnumerateDirectories(_state).Select(path => Path.GetFileName(path))] : [];
}
