using System.Collections.Concurrent;
using Corral.Api.V1;
using Corral.Hosting;
using Corral.Node.V1;
using Corral.Redis;
using Corral.Scheduler.V1;
using Corral.Sessions.Clock;
using Corral.Sessions.Creating;
using Corral.Sessions.Policies;
using Corral.Sessions.Records;
using Corral.Sessions.Usage;
using Corral.Sessions.Vault;
using Grpc.Core;
using Microsoft.Extensions.Options;
using Policy = Corral.Egress.V1.Policy;

namespace Corral.Sessions.Lifecycle;

/// <summary>Brings a sandbox to where its record says it should be. Each step writes first and acts after; each effect may be repeated.</summary>
/// <remarks>
/// QUEUED → room in the plan, where it waits for that → reserve → ASSIGNING (node and generation written) → start on the node → READY → policies → confirm → expiry → ENDING →
/// end on the node → release → ENDED. A step that fails is due again; whoever is alive then goes on from the record.
/// </remarks>
internal sealed partial class SandboxDriver(
    SandboxStore store, DueQueue due, Allowances allowances, IOptions<PlanOptions> plans, Secrets secrets, PolicyResolver policies, SecretStore vault,
    PlacementService.PlacementServiceClient scheduler, ChannelPool channels, TimeProvider clock, IHostApplicationLifetime lifetime, ILogger<SandboxDriver> log)
{
    private const int MaxAttempts = 3;
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan CallPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LostPatience = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan PolicyRetry = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan QueueRetry = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, bool> _driving = new(StringComparer.Ordinal);

    /// <summary>Drives a sandbox in the background, once at a time; asked again meanwhile, once more afterwards.</summary>
    public void Drive(string organization, string id)
    {
        while (!_driving.TryAdd(id, false))
        {
            // Whatever begins after this call sees what it is about. Neither of the two: the one under way has come to its end just now.
            if (_driving.TryUpdate(id, true, false) || _driving.TryGetValue(id, out _))
            {
                return;
            }
        }

        _ = Task.Run(() => DriveWhileAskedAsync(organization, id));
    }

    // Drives a sandbox until it rests.
    private async Task<Rest> StepAsync(string organization, string id, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (await store.FindAsync(organization, id) is not { } seen)
            {
                return new Rest(0, null);
            }

            var rest = seen.Record.State switch
            {
                SandboxState.Queued when seen.Record.Waiting => await AdmitAsync(seen),
                SandboxState.Queued => await PlaceAsync(seen, cancellationToken),
                SandboxState.Assigning => await StartAsync(seen, cancellationToken),
                SandboxState.Ready or SandboxState.Active => await KeepAsync(seen, cancellationToken),
                SandboxState.Ending => await EndAsync(seen, cancellationToken),
                _ => await CleanUpAsync(seen, cancellationToken),
            };
            if (rest is { } outcome)
            {
                return outcome;
            }
        }
    }

    private async Task DriveWhileAskedAsync(string organization, string id)
    {
        do
        {
            _driving[id] = false;
            try
            {
                var rest = await StepAsync(organization, id, lifetime.ApplicationStopping);
                await due.RestAsync(organization, id, rest.Version, rest.DueAt);
            }
            catch (Exception exception) when (exception is DependencyUnavailableException || lifetime.ApplicationStopping.IsCancellationRequested)
            {
                // The lease in the due queue brings it back.
            }
            catch (Exception exception)
            {
                LogFault(exception, id);
            }
        }
        while (!_driving.TryRemove(new KeyValuePair<string, bool>(id, false)));
    }

    private async Task<Rest?> AdmitAsync(Versioned seen)
    {
        var record = seen.Record;
        if (clock.GetUtcNow() - record.CreatedAt >= plans.Value.QueuePatience)
        {
            return await BreakAsync(seen, "The plan had no room in time.", "queue_timeout");
        }

        var allowance = await allowances.OfAsync(record.Organization, record.IsCustom);
        var result = await store.AdmitAsync(seen, record with { Waiting = false, TriedSince = clock.GetUtcNow() }, allowance.Limits, clock.GetUtcNow());
        return result.Status switch
        {
            SaveStatus.HoursLimit => await BreakAsync(seen, "Monthly sandbox hours limit reached", "quota"),
            SaveStatus.ConcurrencyLimit => Later(seen.Version, QueueRetry),
            _ => null,
        };
    }

    private async Task<Rest?> PlaceAsync(Versioned seen, CancellationToken cancellationToken)
    {
        var record = seen.Record;
        ReserveResponse response;
        try
        {
            using var span = SessionsTelemetry.Source.StartActivity("reserve");
            response = await scheduler.ReserveAsync(Requests.Reserve(record), Options(CallPatience, cancellationToken));
        }
        catch (RpcException exception) when (RpcErrors.Read(exception) is { Reason: "NO_SUCH_NODE" } && Tried(record) > StartPatience)
        {
            return await BreakAsync(seen, "No node offers this runtime and isolation.", "start_failed");
        }
        catch (RpcException)
        {
            // A node that restarts is missing for a moment; the scheduler, too.
            return Later(seen.Version, Again);
        }

        if (response.Reservation is not { } room)
        {
            return Later(seen.Version, QueueRetry);
        }

        await SaveAsync(seen, SandboxEvent.Placed, record with
        {
            NodeId = room.NodeId,
            NodeAddress = room.NodeAddress,
            Region = room.Region,
            Isolation = room.Isolation,
            Attempts = record.Attempts + 1,
            TriedSince = clock.GetUtcNow(),
        });
        return null;
    }

    private async Task<Rest?> StartAsync(Versioned seen, CancellationToken cancellationToken)
    {
        var record = seen.Record;
        if (secrets.Open(record.Id, record.SealedEnv) is not { } env)
        {
            return await BreakAsync(seen, "The sandbox's environment cannot be read: the instance's secrets key is another one.", "start_failed");
        }

        try
        {
            using var span = SessionsTelemetry.Source.StartActivity("start");
            var request = Requests.Start(record, env, await policies.ResolveAsync(record));
            // Beside it, the lease is made long enough: it is short only for a start that takes long.
            await Task.WhenAll(
                due.KeepAsync(record.Organization, record.Id, StartPatience + DueQueue.Lease),
                Node(record).StartSandboxAsync(request, Options(StartPatience, cancellationToken)).ResponseAsync);
        }
        catch (RpcException exception) when (!cancellationToken.IsCancellationRequested)
        {
            return await RetryAsync(seen, RpcErrors.Read(exception), cancellationToken);
        }

        var now = clock.GetUtcNow();
        var started = InForce(record) with { StartedAt = now, ExpiresAt = now + TimeSpan.FromMilliseconds(record.MaxDurationMs) };
        if (await SaveAsync(seen, SandboxEvent.Started, started))
        {
            SessionsTelemetry.TimeToReady.Record((now - record.CreatedAt).TotalSeconds);
        }

        return null;
    }

    private async Task<Rest?> RetryAsync(Versioned seen, RpcErrorInfo error, CancellationToken cancellationToken)
    {
        var record = seen.Record;
        LogStartFailed(record.Id, record.NodeId, error.Code, error.Reason);
        if (error.Code == StatusCode.Unavailable && Tried(record) < StartPatience)
        {
            // The same generation on the same node: the start is idempotent, and a node-agent that restarts goes on with it.
            return Later(seen.Version, Again);
        }

        if (record.Attempts >= MaxAttempts)
        {
            return await BreakAsync(seen, $"The sandbox could not be started: {error.Message}", "start_failed");
        }

        // The node may have started it all the same, and have told so: it need not tell it again. One that does not answer
        // now reports when it is back, and is then told that an older generation is nobody's.
        await TellNodeAsync(record, CallPatience, cancellationToken);
        var saved = await SaveAsync(seen, SandboxEvent.Retried, record with
        {
            Generation = record.Generation + 1,
            ExcludedNodes = error.Reason == "NODE_FULL" ? record.ExcludedNodes : [.. record.ExcludedNodes, record.NodeId],
            TriedSince = clock.GetUtcNow(),
        });
        return saved ? Later(seen.Version + 1, Again) : null;
    }

    private async Task<Rest?> KeepAsync(Versioned seen, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var left = seen.Record.ExpiresAt!.Value - now;
        if (left <= TimeSpan.Zero)
        {
            return await AskEndAsync(seen, "expired");
        }

        var hours = await allowances.LeftAsync(seen.Record);
        if (hours <= TimeSpan.Zero)
        {
            return await AskEndAsync(seen, "quota");
        }

        var rest = hours < left ? hours : left;
        var end = now + rest;
        if (seen.Record.Policy is { } policy && policy.InForce < policy.Version)
        {
            return await PutInForceAsync(seen, end, cancellationToken);
        }

        return new Rest(seen.Version, rest < Again || await ConfirmAsync(seen.Record, cancellationToken) ? end : Earlier(end, clock.GetUtcNow() + Again));
    }

    // Said again whenever the sandbox is looked at: whoever started it may have died before it came to this.
    private async Task<bool> ConfirmAsync(SandboxRecord record, CancellationToken cancellationToken)
    {
        try
        {
            await scheduler.ConfirmAsync(new ConfirmRequest { SandboxId = record.Id, Generation = record.Generation }, Options(CallPatience, cancellationToken));
            return true;
        }
        catch (RpcException exception) when (!cancellationToken.IsCancellationRequested)
        {
            // Room that was given back meanwhile is none that the node lacks: it counts what it runs itself.
            LogNotConfirmed(record.Id, RpcErrors.Read(exception).Reason, exception.StatusCode);
            return exception.StatusCode == StatusCode.FailedPrecondition;
        }
    }

    private async Task<Rest?> AskEndAsync(Versioned seen, string reason)
    {
        await SaveAsync(seen, SandboxEvent.EndAsked, seen.Record with { EndReason = reason, EndAskedAt = clock.GetUtcNow() });
        return null;
    }

    private async Task<Rest?> PutInForceAsync(Versioned seen, DateTimeOffset end, CancellationToken cancellationToken)
    {
        var record = seen.Record;
        try
        {
            using var span = SessionsTelemetry.Source.StartActivity("policy");
            await TellPolicyAsync(record, await policies.ResolveAsync(record), cancellationToken);
        }
        catch (RpcException exception) when (!cancellationToken.IsCancellationRequested)
        {
            LogPolicyFailed(record.Id, record.NodeId, exception.StatusCode, RpcErrors.Read(exception).Reason);
            return new Rest(seen.Version, Earlier(end, clock.GetUtcNow() + PolicyRetry));
        }

        await store.SaveAsync(seen, InForce(record));
        return null;
    }

    private async Task TellPolicyAsync(SandboxRecord record, Policy? policy, CancellationToken cancellationToken)
    {
        var request = new UpdatePolicyRequest { SandboxId = record.Id, Generation = record.Generation, Policy = policy };
        try
        {
            await Node(record).UpdatePolicyAsync(request, Options(CallPatience, cancellationToken));
        }
        catch (RpcException exception) when (exception.StatusCode == StatusCode.InvalidArgument)
        {
            // The one before would stay in force, and with it what is to be let out no more.
            LogPolicyRefused(record.Id, RpcErrors.Read(exception).Violations is [var first, ..] ? first.Field : "policy");
            request.Policy = PolicyResolver.Nothing(record.Policy!);
            await Node(record).UpdatePolicyAsync(request, Options(CallPatience, cancellationToken));
        }
    }

    private static SandboxRecord InForce(SandboxRecord record) =>
        record.Policy is { } policy ? record with { Policy = policy with { InForce = policy.Version } } : record;

    private async Task<Rest?> EndAsync(Versioned seen, CancellationToken cancellationToken)
    {
        if (!await TellEndAsync(seen.Record, seen.Record.EndAskedAt, cancellationToken))
        {
            return Later(seen.Version, Again);
        }

        await SaveAsync(seen, SandboxEvent.Gone, seen.Record.WithoutSecrets() with { EndedAt = clock.GetUtcNow(), CleanedUp = true });
        return null;
    }

    private async Task<Rest?> CleanUpAsync(Versioned seen, CancellationToken cancellationToken)
    {
        if (!seen.Record.IsOver || seen.Record.CleanedUp)
        {
            return new Rest(seen.Version, null);
        }

        if (!await TellEndAsync(seen.Record, seen.Record.EndedAt, cancellationToken))
        {
            return Later(seen.Version, Again);
        }

        await store.SaveAsync(seen, seen.Record.WithoutSecrets() with { CleanedUp = true });
        return null;
    }

    // A node that does not answer for so long is taken for lost: its sandbox must not hold its organisation's place for
    // ever. Should it come back, its report is answered with the order to end what is over.
    private async Task<bool> TellEndAsync(SandboxRecord record, DateTimeOffset? since, CancellationToken cancellationToken)
    {
        var answer = await TellNodeAsync(record, StartPatience, cancellationToken);
        var lost = answer is StatusCode.Unavailable or StatusCode.DeadlineExceeded && !(clock.GetUtcNow() - since < LostPatience);
        if (answer != StatusCode.OK && !lost)
        {
            return false;
        }

        try
        {
            if (record.Policy?.NotedSecretNames is [_, ..] names)
            {
                await vault.RemoveUserAsync(record.Organization, names, record.Id);
            }

            await scheduler.ReleaseAsync(new ReleaseRequest { SandboxId = record.Id, Generation = record.Generation }, Options(CallPatience, cancellationToken));
            return true;
        }
        catch (RpcException exception)
        {
            LogReleaseFailed(record.Id, exception.StatusCode);
            return false;
        }
    }

    private async Task<StatusCode> TellNodeAsync(SandboxRecord record, TimeSpan patience, CancellationToken cancellationToken)
    {
        if (record.NodeAddress.Length == 0)
        {
            return StatusCode.OK;
        }

        try
        {
            var request = new EndSandboxRequest { SandboxId = record.Id, Generation = record.Generation };
            await Node(record).EndSandboxAsync(request, Options(patience, cancellationToken));
            return StatusCode.OK;
        }
        catch (RpcException exception)
        {
            cancellationToken.ThrowIfCancellationRequested();
            LogEndFailed(record.Id, record.NodeId, exception.StatusCode);
            return exception.StatusCode;
        }
    }

    private async Task<Rest?> BreakAsync(Versioned seen, string reason, string endReason)
    {
        await SaveAsync(seen, SandboxEvent.Broke, seen.Record with { FailureReason = reason, EndReason = endReason, EndedAt = clock.GetUtcNow() });
        return null;
    }

    // A conflict is no failure: somebody else moved it, and the next look at the record decides.
    private async Task<bool> SaveAsync(Versioned seen, SandboxEvent happened, SandboxRecord changed)
    {
        if (SandboxMachine.Next(seen.Record.State, happened) is not { } next)
        {
            return false;
        }

        var saved = await store.SaveAsync(seen, changed with { State = next });
        if (saved)
        {
            SessionsTelemetry.Transitions.Add(1, new KeyValuePair<string, object?>("state", next.ToString()));
            LogMoved(seen.Record.Id, seen.Record.State, next);
        }

        return saved;
    }

    private TimeSpan Tried(SandboxRecord record) => clock.GetUtcNow() - (record.TriedSince ?? record.CreatedAt);

    private Rest Later(long version, TimeSpan pause) => new(version, clock.GetUtcNow() + pause);

    private static DateTimeOffset Earlier(DateTimeOffset one, DateTimeOffset other) => one < other ? one : other;

    private NodeService.NodeServiceClient Node(SandboxRecord record) => new(channels.Get(record.NodeAddress));

    private static CallOptions Options(TimeSpan patience, CancellationToken cancellationToken) => new(deadline: Deadline.In(patience), cancellationToken: cancellationToken);

    [LoggerMessage(Level = LogLevel.Information, Message = "Sandbox {SandboxId} went from {From} to {To}.")]
    private partial void LogMoved(string sandboxId, SandboxState from, SandboxState to);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Sandbox {SandboxId} did not start on node {NodeId}: {Code} {Reason}.")]
    private partial void LogStartFailed(string sandboxId, string nodeId, StatusCode code, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "The policy of sandbox {SandboxId} was refused for its {Field}. Nothing leaves it.")]
    private partial void LogPolicyRefused(string sandboxId, string field);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The policy of sandbox {SandboxId} is not yet in force on node {NodeId}: {Code} {Reason}.")]
    private partial void LogPolicyFailed(string sandboxId, string nodeId, StatusCode code, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Sandbox {SandboxId} could not yet be ended on node {NodeId}: {Code}.")]
    private partial void LogEndFailed(string sandboxId, string nodeId, StatusCode code);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The room of sandbox {SandboxId} could not yet be given back: {Code}.")]
    private partial void LogReleaseFailed(string sandboxId, StatusCode code);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The room of sandbox {SandboxId} could not be confirmed: {Code} {Reason}.")]
    private partial void LogNotConfirmed(string sandboxId, string reason, StatusCode code);

    [LoggerMessage(Level = LogLevel.Error, Message = "Driving sandbox {SandboxId} failed.")]
    private partial void LogFault(Exception exception, string sandboxId);

    /// <summary>A sandbox that has nothing to do now.</summary>
    /// <param name="Version">The version of its record; 0 when there is none.</param>
    /// <param name="DueAt">When it has; null for never. An instant, for what is done until it is written down must not put it off.</param>
    private readonly record struct Rest(long Version, DateTimeOffset? DueAt);
}
