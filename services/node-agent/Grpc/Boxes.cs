using Corral.Hosting;
using Corral.NodeAgent.Sandboxes;
using Grpc.Core;

namespace Corral.NodeAgent.Grpc;

/// <summary>Finds the box that a call is for.</summary>
internal static class Boxes
{
    /// <summary>The running box of the caller's organisation; another's answers as if it were not there.</summary>
    public static Box Of(SandboxTable table, string sandboxId, ServerCallContext context)
    {
        var caller = CallerIdentity.From(context);
        if (table.Find(sandboxId) is not { } box) throw Missing(table, sandboxId);
        return box.Record.OrganizationId == caller.OrganizationId
            ? box
            : throw RpcErrors.NotFound("SANDBOX_NOT_FOUND", "Sandbox not found");
    }

    /// <summary>Checks that a sandbox, one that is over included, is the caller's.</summary>
    public static void CheckPast(SandboxTable table, string sandboxId, ServerCallContext context)
    {
        // Nothing is known here any more of one that is over: the gateway says whose it was.
        if (table.Find(sandboxId) is not null || context.RequestHeaders.GetValue(CallerIdentity.SandboxKey) != sandboxId) Of(table, sandboxId, context);
    }

    public static RpcException Missing(SandboxTable table, string sandboxId) => table.Knows(sandboxId)
        ? RpcErrors.FailedPrecondition("SANDBOX_NOT_READY", "The sandbox takes no work now.")
        : RpcErrors.NotFound("SANDBOX_NOT_FOUND", "Sandbox not found");
}
