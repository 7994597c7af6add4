namespace Corral.NodeAgent.Host.Cgroups;

/// <summary>Control groups of this node's boxes, on a host with version 1 (or hybrid) or with version 2.</summary>
internal interface ICgroups
{
    /// <summary>What the node says of it in its capabilities: <c>v1</c> or <c>v2</c>.</summary>
    string Version { get; }

    /// <summary>Makes the group and sets its limits. Made before the box's first process.</summary>
    void Create(string box, CgroupLimits limits);

    void SetLimits(string box, CgroupLimits limits);

    /// <summary>
    /// Moves the calling thread in, so that what it starts is born inside (version 1); or answers the file that the program to be
    /// started must write itself into (version 2, where threads cannot move alone).
    /// </summary>
    string? Enter(string box);

    void Freeze(string box);

    void Thaw(string box);

    /// <summary>Sends SIGKILL to everything inside and thaws it, so that it can die. Answers whether anything was inside.</summary>
    bool Kill(string box);

    /// <summary>Removes the group; false while something inside is still dying.</summary>
    bool TryRemove(string box);

    CgroupUsage Usage(string box);

    /// <summary>How often the kernel killed something in it for memory.</summary>
    long OutOfMemoryKills(string box);

    /// <summary>The groups that exist, whoever made them.</summary>
    IReadOnlyList<string> List();

    /// <summary>Removes the parent of all groups.</summary>
    void RemoveParent();
}

/// <summary>What a box may use. A memory or process limit of null is none.</summary>
internal readonly record struct CgroupLimits(double Cpus, long? MemoryBytes, int? Processes);

/// <summary>What a box uses.</summary>
internal readonly record struct CgroupUsage(TimeSpan Cpu, long MemoryBytes, int Processes);
