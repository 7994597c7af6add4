using Corral.NodeAgent.Host;

namespace Corral.NodeAgent.Runtimes;

/// <summary>crun: namespaces of the host's kernel, started three times as fast as runc does, with cgroups and the filter made by us.</summary>
internal sealed class CrunRuntime(string program, string stateDirectory, byte[] seccomp) : IContainerRuntime
{
    public const int FirstId = 100_000;

    private readonly SealedProgram? _copy = SealedProgram.TryCopy(program);
    private readonly string _state = Path.Combine(stateDirectory, "crun");

    public string Isolation => "runc";

    public string Description { get; } = HostProcess.Run(program, ["--version"]).Output.Split('\n')[0];

    public OciFlavour Flavour { get; } = new() { FirstId = FirstId, SeccompBpf = Convert.ToBase64String(seccomp) };

    public int Start(string box, string bundle, string? cgroupFile) => RuntimeProcess.Start(
        program,
        ["--root", _state, "--cgroup-manager=disabled", "--log", RuntimeProcess.Log(bundle), "run", "--detach", "--bundle", bundle,
            "--pid-file", Path.Combine(bundle, "pid"), box],
        bundle, cgroupFile, _copy);

    public void Forget(string box) => RuntimeProcess.Delete(Path.Combine(_state, box));

    public IReadOnlyList<string> List() =>
        Directory.Exists(_state) ? [.. Directory.EnumerateDirectories(_state).Select(path => Path.GetFileName(path))] : [];
}
