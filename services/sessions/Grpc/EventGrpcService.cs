using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.Events;
using Corral.Sessions.Records;
using Grpc.Core;

namespace Corral.Sessions.Grpc;

internal sealed class EventGrpcService(EventLog log, EventWatch watch, SandboxStore sandboxes, IHostApplicationLifetime lifetime) : EventService.EventServiceBase
{
    private const int DefaultLimit = 100;
    private const int MaxLimit = 1000;

    public override async Task<ListEventsResponse> ListEvents(ListEventsRequest request, ServerCallContext context)
    {
        var organization = CallerIdentity.From(context).OrganizationId;
        var limit = request.HasLimit ? request.Limit : DefaultLimit;
        if (limit is < 1 or > MaxLimit)
        {
            throw RpcErrors.InvalidArgument("limit", $"must be 1 to {MaxLimit}");
        }

        await CheckAsync(organization, request.SandboxId, request.After);
        var page = request.SandboxId.Length == 0
            ? await log.ReadAsync(organization, request.After, limit)
            : await log.ReadAsync(organization, request.SandboxId, request.After, limit);
        // Who asks for no particular beginning has missed nothing.
        var response = new ListEventsResponse { NextAfter = page.Next, Missed = request.HasAfter ? page.Missed : 0 };
        response.Items.AddRange(page.Events.Select(EventMessages.ToEvent));
        return response;
    }

    public override async Task WatchEvents(WatchEventsRequest request, IServerStreamWriter<WatchEventsResponse> responseStream, ServerCallContext context)
    {
        var organization = CallerIdentity.From(context).OrganizationId;
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        await CheckAsync(organization, request.SandboxId, request.After);
        var after = request.HasAfter ? request.After : await log.LastAsync(organization);
        await foreach (var page in watch.FollowAsync(organization, request.SandboxId, after, ended.Token))
        {
            if (page.Missed > 0)
            {
                var gap = new EventGap { Missed = page.Missed, Sequence = page.Events is [var first, ..] ? first.Sequence - 1 : page.Next };
                await responseStream.WriteAsync(new WatchEventsResponse { Gap = gap }, ended.Token);
            }

            foreach (var happened in page.Events)
            {
                await responseStream.WriteAsync(new WatchEventsResponse { Event = happened.ToEvent() }, ended.Token);
            }
        }
    }

    private async Task CheckAsync(string organization, string sandboxId, long after)
    {
        if (after < 0 || (after > 0 && after > await log.LastAsync(organization)))
        {
            throw RpcErrors.InvalidArgument("after", "must be the sequence number of an event, or 0");
        }

        if (sandboxId.Length > 0 && (!Ids.IsValid(sandboxId, "sbx-") || await sandboxes.FindAsync(organization, sandboxId) is null))
        {
            throw RpcErrors.NotFound("SANDBOX_NOT_FOUND", "Sandbox session not found");
        }
    }
}
