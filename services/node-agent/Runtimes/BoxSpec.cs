namespace Corral.NodeAgent.Runtimes;

/// <summary>What the bundle of one box says.</summary>
internal sealed record BoxSpec
{
    public required string Box { get; init; }

    /// <summary>The file system's root, in the box's mount namespace.</summary>
    public required string Root { get; init; }

    /// <summary>The guest's program on the host.</summary>
    public required string GuestBinary { get; init; }

    public required IReadOnlyList<string> GuestArguments { get; init; }

    public required IReadOnlyList<string> GuestEnvironment { get; init; }

    public required BoxLimits Limits { get; init; }
}

/// <summary>What a box may use.</summary>
internal sealed record BoxLimits(double Cpus, long MemoryBytes, long DiskBytes, int Processes)
{
    public static readonly BoxLimits Default = new(2, 4L << 30, 10L << 30, 512);
}
