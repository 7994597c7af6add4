using System.Runtime.InteropServices;
using Corral.NodeAgent.Host;
using Corral.NodeAgent.Host.Seccomp;

namespace Corral.NodeAgent.Runtimes;

/// <summary>The runtimes that this host has, the default first.</summary>
internal sealed class RuntimeCatalog(IReadOnlyList<IContainerRuntime> runtimes)
{
    public IReadOnlyList<IContainerRuntime> All => runtimes;

    public IContainerRuntime Default => runtimes[0];

    /// <summary>The runtime of an isolation; empty asks for the default.</summary>
    public IContainerRuntime? Find(string isolation) =>
        isolation.Length == 0 ? Default : runtimes.FirstOrDefault(runtime => runtime.Isolation == isolation);

    public static RuntimeCatalog Detect(NodePaths paths, NodeOptions options)
    {
        var found = new List<IContainerRuntime>();
        if (HostProcess.Find("runsc") is { } runsc) found.Add(new RunscRuntime(runsc, paths.RuntimeState));
        if (HostKernel(paths, options) is { } runc) found.Add(runc);
        if (found.Count == 0) throw new HostException("Neither runsc nor crun nor runc is installed.");
        var preferred = found.FirstOrDefault(runtime => runtime.Isolation == options.Isolation);
        if (options.Isolation.Length > 0 && preferred is null) throw new HostException($"The isolation '{options.Isolation}' was asked for, and this host does not have it.");
        return new RuntimeCatalog(preferred is null ? found : [preferred, .. found.Where(runtime => runtime != preferred)]);
    }

    private static IContainerRuntime? HostKernel(NodePaths paths, NodeOptions options)
    {
        // The annotation with the compiled filter is crun's own; the filter is for one architecture.
        if (options.HostKernelRuntime != "runc" && RuntimeInformation.ProcessArchitecture is Architecture.X64 or Architecture.Arm64
            && HostProcess.Find("crun") is { } crun && SeccompCompiler.TryCompile() is { } filter)
            return new CrunRuntime(crun, paths.RuntimeState, filter);
        return options.HostKernelRuntime != "crun" && HostProcess.Find("runc") is { } runc
            ? new RuncRuntime(runc, paths.RuntimeState, paths.Prefix)
            : null;
    }
}
