using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.Creating;
using Corral.Sessions.Ledger;
using Corral.Sessions.Lifecycle;
using Corral.Sessions.Listing;
using Corral.Sessions.Records;
using Grpc.Core;

namespace Corral.Sessions.Grpc;

internal sealed class SandboxGrpcService(
    SandboxCreator creator, SandboxEnder ender, SandboxStore store, SandboxPages pages, WaitingLine line, Terminations ledger, ChangeFeed changes, TimeProvider clock,
    IHostApplicationLifetime lifetime)
    : SandboxService.SandboxServiceBase
{
    private const long DefaultWaitMs = 60_000;
    private const long MaxWaitMs = 600_000;

    public override async Task<CreateResponse> Create(CreateRequest request, ServerCallContext context) =>
        new() { Sandbox = await ViewAsync(await creator.CreateAsync(CallerIdentity.From(context), request)) };

    public override async Task<LaunchResponse> Launch(LaunchRequest request, ServerCallContext context)
    {
        var wait = request.HasWaitMs ? request.WaitMs : DefaultWaitMs;
        if (wait is <= 0 or > MaxWaitMs)
        {
            throw RpcErrors.InvalidArgument("wait_ms", $"must be 1 to {MaxWaitMs}");
        }

        var caller = CallerIdentity.From(context);
        var record = await creator.CreateAsync(caller, request.Create ?? new CreateRequest());
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        var until = clock.GetUtcNow() + TimeSpan.FromMilliseconds(wait);
        while (!record.TakesWork)
        {
            if (record.IsOver || record.State == SandboxState.Ending)
            {
                throw RpcErrors.FailedPrecondition("START_FAILED", record.FailureReason ?? "The sandbox was ended before it was ready.");
            }

            if (clock.GetUtcNow() >= until)
            {
                throw RpcErrors.DeadlineExceeded("NOT_READY_IN_TIME", $"Sandbox {record.Id} was not ready after {wait} ms; it goes on starting.");
            }

            var change = changes.NextAsync(record.Id);
            record = await FindAsync(caller, record.Id);
            if (!record.TakesWork && !record.IsOver)
            {
                await changes.WaitAsync(change, ended.Token);
                record = await FindAsync(caller, record.Id);
            }
        }

        if (context.RequestHeaders.Get(CallerIdentity.PlaceKey) is not null)
        {
            context.ResponseTrailers.Add(CallerIdentity.SandboxKey, record.Id);
            context.ResponseTrailers.Add(CallerIdentity.PlaceKey, record.NodeAddress);
        }

        return new LaunchResponse { Sandbox = record.ToSandbox() };
    }

    public override async Task<GetResponse> Get(GetRequest request, ServerCallContext context) =>
        new() { Sandbox = await ViewAsync(await FindAsync(CallerIdentity.From(context), request.SandboxId)) };

    public override async Task<ListResponse> List(ListRequest request, ServerCallContext context)
    {
        if (request.Page is { } page)
        {
            return request.HasLimit || request.Cursor.Length > 0
                ? throw RpcErrors.InvalidArgument("page", "must not be given together with limit or cursor")
                : await pages.ReadAsync(CallerIdentity.From(context).OrganizationId, page);
        }

        var limit = request.HasLimit ? request.Limit : 100;
        if (limit is < 1 or > 1000)
        {
            throw RpcErrors.InvalidArgument("limit", "must be 1 to 1000");
        }

        var caller = CallerIdentity.From(context);
        await ledger.PruneAsync(caller.OrganizationId);
        var (ids, total) = await store.ListAsync(caller.OrganizationId, request.Cursor, limit)
            ?? throw RpcErrors.InvalidArgument("cursor", "is not one that was answered");
        var records = await Task.WhenAll(ids.Select(id => store.FindAsync(caller.OrganizationId, id)));
        var response = new ListResponse { TotalItems = (int)total };
        response.Items.AddRange(await Task.WhenAll(records.OfType<Versioned>().Select(found => ViewAsync(found.Record))));
        if (ids.Count == limit)
        {
            response.NextCursor = ids[^1];
        }

        return response;
    }

    public override async Task<EndResponse> End(EndRequest request, ServerCallContext context)
    {
        var caller = CallerIdentity.From(context);
        await FindAsync(caller, request.SandboxId);
        var record = await ender.EndAsync(caller.OrganizationId, request.SandboxId, "client", by: caller.KeyId);
        return new EndResponse { Sandbox = record?.ToSandbox() };
    }

    public override async Task Watch(WatchRequest request, IServerStreamWriter<WatchResponse> responseStream, ServerCallContext context)
    {
        var caller = CallerIdentity.From(context);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        Sandbox? told = null;
        while (true)
        {
            var change = changes.NextAsync(request.SandboxId);
            var record = await FindAsync(caller, request.SandboxId);
            var sandbox = await ViewAsync(record);
            if (!sandbox.Equals(told))
            {
                await responseStream.WriteAsync(new WatchResponse { Sandbox = sandbox }, ended.Token);
                told = sandbox;
            }

            if (record.IsOver)
            {
                return;
            }

            await changes.WaitAsync(change, ended.Token);
        }
    }

    private async Task<Sandbox> ViewAsync(SandboxRecord record)
    {
        var sandbox = record.ToSandbox();
        sandbox.Queue = await line.PlaceAsync(record);
        return sandbox;
    }

    private async Task<SandboxRecord> FindAsync(CallerIdentity caller, string id) =>
        (Ids.IsValid(id, "sbx-") ? await store.FindAsync(caller.OrganizationId, id) : null)?.Record
        ?? throw RpcErrors.NotFound("SANDBOX_NOT_FOUND", "Sandbox session not found");
}
