namespace Corral.NodeAgent.Runtimes;

/// <summary>An OCI runtime, as far as boxes need one: it starts them. Everything else is done by cgroups, signals and the guest.</summary>
internal interface IContainerRuntime
{
    /// <summary>What callers ask for: <c>runsc</c> or <c>runc</c>.</summary>
    string Isolation { get; }

    /// <summary>The program and its version, for the node's labels.</summary>
    string Description { get; }

    /// <summary>What differs in the bundle.</summary>
    OciFlavour Flavour { get; }

    /// <summary>
    /// Starts the bundle detached and answers the host's process id of its first process. Runs on the box's own thread, which is in the
    /// box's cgroup, network and mount namespace already.
    /// </summary>
    /// <param name="box">Its name.</param>
    /// <param name="bundle">The directory of its config.json.</param>
    /// <param name="cgroupFile">A file that the runtime must write itself into first, or null.</param>
    int Start(string box, string bundle, string? cgroupFile);

    /// <summary>Removes what the runtime keeps of a box whose processes are gone.</summary>
    void Forget(string box);

    /// <summary>The boxes of which the runtime keeps something.</summary>
    IReadOnlyList<string> List();
}

/// <summary>How the bundle differs between the runtimes.</summary>
internal sealed record OciFlavour
{
    /// <summary>First host id of the box's user namespace; 0 for none (gVisor makes its own).</summary>
    public int FirstId { get; init; }

    /// <summary>Whether the box's kernel is gVisor: it has its own /sys, and enforces rlimits itself.</summary>
    public bool OwnKernel { get; init; }

    /// <summary>A compiled filter for crun's annotation.</summary>
    public string? SeccompBpf { get; init; }

    /// <summary>Whether the profile is written out for the runtime to compile.</summary>
    public bool SeccompSection { get; init; }

    /// <summary>Where runc is to find the box's cgroup; null where the runtime leaves cgroups alone.</summary>
    public string? CgroupsParent { get; init; }
}
