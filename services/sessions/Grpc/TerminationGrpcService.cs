using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.Ledger;
using Corral.Sessions.Records;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Corral.Sessions.Grpc;

internal sealed class TerminationGrpcService(Terminations ledger) : TerminationService.TerminationServiceBase
{
    private const int DefaultLimit = 100;
    private const int MaxLimit = 1000;

    public override async Task<ListTerminationsResponse> ListTerminations(ListTerminationsRequest request, ServerCallContext context)
    {
        var limit = request.HasLimit ? request.Limit : DefaultLimit;
        if (limit is < 1 or > MaxLimit)
        {
            throw RpcErrors.InvalidArgument("limit", $"must be 1 to {MaxLimit}");
        }

        var (records, last, total) = await ledger.ReadAsync(CallerIdentity.From(context).OrganizationId, request.Cursor, limit)
            ?? throw RpcErrors.InvalidArgument("cursor", "is not one that was answered");
        var response = new ListTerminationsResponse { TotalItems = (int)total };
        response.Items.AddRange(records.Select(ToPublic));
        if (last is not null)
        {
            response.NextCursor = last;
        }

        return response;
    }

    private static Termination ToPublic(SandboxRecord record)
    {
        var termination = new Termination
        {
            SandboxId = record.Id,
            State = record.State,
            Runtime = record.Runtime,
            EndReason = record.EndReason ?? "",
            CreatedAt = record.CreatedAt.ToTimestamp(),
            StartedAt = record.StartedAt?.ToTimestamp(),
            EndAskedAt = record.EndAskedAt?.ToTimestamp(),
            EndedAt = (record.EndedAt ?? record.CreatedAt).ToTimestamp(),
            StateBefore = record.StateBefore ?? SandboxState.Unspecified,
            RunningCommands = record.RunningCommands,
        };
        if (record.EndedBy is { } key)
        {
            termination.EndedBy = key;
        }

        if (record.FailureReason is { } failure)
        {
            termination.FailureReason = failure;
        }

        if (record.DurationMs is { } duration)
        {
            termination.DurationMs = duration;
        }

        if (record.NodeId.Length > 0)
        {
            termination.NodeId = record.NodeId;
        }

        return termination;
    }
}
