using Corral.GuestLink;
using Corral.Hosting;
using Grpc.Core;

namespace Corral.NodeAgent.Grpc;

/// <summary>What callers are told of an operation that failed inside.</summary>
internal static class GuestErrors
{
    public static RpcException ToRpc(GuestException failure) => failure.Code switch
    {
        "not_found" => RpcErrors.NotFound("FILE_NOT_FOUND", failure.Message),
        "exists" => RpcErrors.AlreadyExists("FILE_EXISTS", failure.Message),
        "is_directory" => RpcErrors.FailedPrecondition("IS_DIRECTORY", failure.Message),
        "not_directory" => RpcErrors.FailedPrecondition("NOT_DIRECTORY", failure.Message),
        "not_empty" => RpcErrors.FailedPrecondition("NOT_EMPTY", failure.Message),
        "permission_denied" => RpcErrors.PermissionDenied("FILE_PERMISSION_DENIED", failure.Message),
        "invalid_path" => RpcErrors.InvalidArgument("path", failure.Message),
        "unknown_owner" => RpcErrors.InvalidArgument("owner", failure.Message),
        "unknown_group" => RpcErrors.InvalidArgument("group", failure.Message),
        "no_space" => RpcErrors.ResourceExhausted("NO_SPACE", failure.Message),
        "too_long" => RpcErrors.InvalidArgument("command", failure.Message),
        "too_many" => RpcErrors.FailedPrecondition("TOO_MANY_DIRECTORIES", failure.Message),
        "too_large" => RpcErrors.FailedPrecondition("FILE_TOO_LARGE", failure.Message),
        "no_run" => RpcErrors.NotFound("COMMAND_NOT_FOUND", failure.Message),
        "run_exists" => RpcErrors.AlreadyExists("COMMAND_EXISTS", failure.Message),
        "too_many_runs" => RpcErrors.ResourceExhausted("TOO_MANY_COMMANDS", failure.Message),
        "too_many_viewers" => RpcErrors.ResourceExhausted("TOO_MANY_VIEWERS", failure.Message),
        "lost" => RpcErrors.Unavailable("COMMAND_LOST", "The sandbox stopped answering.", TimeSpan.FromSeconds(1)),
        _ => RpcErrors.FailedPrecondition("OPERATION_FAILED", failure.Message),
    };

    public static async Task<T> TellAsync<T>(Func<Task<T>> operation)
    {
        try
        {
            return await operation();
        }
        catch (GuestException failure)
        {
            throw ToRpc(failure);
        }
    }
}
