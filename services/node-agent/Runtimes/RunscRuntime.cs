using Corral.NodeAgent.Host;

namespace Corral.NodeAgent.Runtimes;

/// <summary>gVisor: a kernel of its own for every box, in user space.</summary>
internal sealed class RunscRuntime(string program, string stateDirectory) : IContainerRuntime
{
    private const string RootNamespaceSign = "/proc/sys/net/core/rmem_default";

    private readonly string _state = Path.Combine(stateDirectory, "runsc");

    public string Isolation => "runsc";

    public string Description { get; } = HostProcess.Run(program, ["--version"]).Output.Split('\n')[0];

    public OciFlavour Flavour { get; } = new() { OwnKernel = true };

    public int Start(string box, string bundle, string? cgroupFile)
    {
        Directory.CreateDirectory(_state);
        HideRootNamespaceSign();
        return RuntimeProcess.Start(
            program,
            ["--root", _state, "--log", RuntimeProcess.Log(bundle), "--network=sandbox", "--ignore-cgroups", "--overlay2=none", "--platform=systrap",
                "--net-raw=false", "run", "--detach", "--bundle", bundle, "--pid-file", Path.Combine(bundle, "pid"), box],
            bundle, cgroupFile);
    }

    public void Forget(string box)
    {
        if (!Directory.Exists(_state)) return;
        foreach (var file in Directory.EnumerateFiles(_state).Where(path => Path.GetFileName(path).Contains(box, StringComparison.Ordinal))) File.Delete(file);
    }

    public IReadOnlyList<string> List() =>
        Directory.Exists(_state)
            ? [.. Directory.EnumerateFiles(_state, "*.state").Select(path => Path.GetFileNameWithoutExtension(path).Split("_sandbox")[0])]
            : [];

    /// <summary>
    /// This gVisor takes the file's presence for the host's own network namespace, where it will not run; newer kernels show it in every
    /// namespace. In this thread's mount namespace, and wherever the file is seen, a directory with only what gVisor reads is put over it.
    /// </summary>
    private static void HideRootNamespaceSign()
    {
        if (!File.Exists(RootNamespaceSign)) return;
        const string Directory = "/proc/sys/net/core";
        var somaxconn = File.ReadAllText(Directory + "/somaxconn");
        Mounts.Mount("tmpfs", Directory, "tmpfs", Libc.MsNoSuid | Libc.MsNoDev | Libc.MsNoExec, "size=16k,mode=555");
        File.WriteAllText(Directory + "/somaxconn", somaxconn);
    }
}
