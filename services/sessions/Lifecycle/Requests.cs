using Corral.Egress.V1;
using Corral.Node.V1;
using Corral.Scheduler.V1;
using Corral.Sessions.Records;

namespace Corral.Sessions.Lifecycle;

/// <summary>What is asked of scheduler and node for a record.</summary>
internal static class Requests
{
    private const int MaxProcesses = 512;

    public static ReserveRequest Reserve(SandboxRecord record)
    {
        var request = new ReserveRequest
        {
            SandboxId = record.Id,
            Generation = record.Generation,
            OrganizationId = record.Organization,
            Shape = record.Machine.ToShape(),
            Template = record.Runtime,
            Isolation = record.Isolation,
            Region = record.AskedRegion,
        };
        request.ExcludedNodeIds.AddRange(record.ExcludedNodes);
        return request;
    }

    public static StartSandboxRequest Start(SandboxRecord record, Dictionary<string, string> env, Policy? policy)
    {
        var request = new StartSandboxRequest
        {
            SandboxId = record.Id,
            Generation = record.Generation,
            OrganizationId = record.Organization,
            Template = record.Runtime,
            Isolation = record.Isolation,
            CpuMillis = record.Machine.CpuMillis,
            MemoryBytes = record.Machine.MemoryBytes,
            DiskBytes = record.Machine.DiskBytes,
            MaxProcesses = MaxProcesses,
            Policy = policy,
        };
        request.Env.Add(env);
        return request;
    }
}
