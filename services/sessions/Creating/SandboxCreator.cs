using System.Security.Cryptography;
using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.Ledger;
using Corral.Sessions.Lifecycle;
using Corral.Sessions.Policies;
using Corral.Sessions.Records;
using Corral.Sessions.Usage;
using Google.Protobuf;
using Google.Protobuf.Collections;

namespace Corral.Sessions.Creating;

/// <summary>Accepts sandboxes: validates, counts and writes the record in one script, then hands it to the driver.</summary>
internal sealed class SandboxCreator(
    SandboxStore store, Allowances allowances, PlanRefusals refusals, Terminations terminations, DueQueue due, SandboxDriver driver, Secrets secrets, PolicyDrafter policies,
    TimeProvider clock)
{
    public async Task<SandboxRecord> CreateAsync(CallerIdentity caller, CreateRequest request)
    {
        using var span = SessionsTelemetry.Source.StartActivity("create");
        var allowance = await allowances.OfAsync(caller.OrganizationId, request.Shape is not null);
        CreateValidator.Check(request, allowance.Plan, allowance.Limits);
        var id = Ids.New("sbx-");
        var record = Describe(caller.OrganizationId, id, request, await policies.DraftAsync(caller.OrganizationId, id, request), allowance.Limits);

        // In this order, so that a crash in between leaves at worst an id without a record, which the driver forgets.
        await Task.WhenAll(
            store.ClaimIdAsync(record.Id, record.Organization, TimeSpan.FromMilliseconds(record.MaxDurationMs)), due.AnnounceAsync(record.Organization, record.Id, 1), terminations.PruneAsync(record.Organization));
        var requestId = request.RequestId.Length > 0 ? request.RequestId : caller.IdempotencyId;
        var digest = Digest(request);
        var result = await store.CreateAsync(record, allowance.Limits, requestId, digest);
        if (result.Status == SaveStatus.ConcurrencyLimit && request.QueueAtLimit)
        {
            record = record with { Waiting = true };
            result = await store.CreateAsync(record, allowance.Limits, requestId, digest);
        }

        if (result.Status != SaveStatus.Saved)
        {
            await Task.WhenAll(store.DisclaimIdAsync(record.Id), due.ForgetAsync(record.Organization, record.Id), policies.ForgetAsync(record));
        }

        switch (result.Status)
        {
            case SaveStatus.Saved:
                driver.Drive(record.Organization, record.Id);
                return record;
            case SaveStatus.Repeated:
                return (await store.FindAsync(caller.OrganizationId, result.Value))?.Record
                    ?? throw RpcErrors.NotFound("SANDBOX_NOT_FOUND", "Sandbox session not found");
            case SaveStatus.RequestConflict:
                throw RpcErrors.FailedPrecondition("IDEMPOTENCY_CONFLICT", "This request id was used with another request.");
            default:
                throw await refusals.OfAsync(record, allowance, result);
        }
    }

    // The order of a map's entries on the wire is the client's accident, and may differ when it repeats itself.
    private static byte[] Digest(CreateRequest request)
    {
        var canonical = request.Clone();
        Sort(canonical.Env);
        foreach (var transform in canonical.NetworkPolicy?.Transforms ?? [])
        {
            Sort(transform.InjectHeaders);
        }

        return SHA256.HashData(canonical.ToByteArray());
    }

    private static void Sort(MapField<string, string> map)
    {
        var sorted = map.OrderBy(entry => entry.Key, StringComparer.Ordinal).ToList();
        map.Clear();
        foreach (var (name, value) in sorted)
        {
            map.Add(name, value);
        }
    }

    private SandboxRecord Describe(string organization, string id, CreateRequest request, PolicyDraft policy, PlanLimits limits) =>
        new()
        {
            Id = id,
            Organization = organization,
            State = SandboxState.Queued,
            Runtime = request.HasRuntime ? request.Runtime : "bun",
            Size = request.Shape is not null ? SandboxRecord.CustomSize : request.HasSize ? request.Size : "standard",
            Machine = request.Shape is null ? MachineSize.Standard : MachineSize.Of(MachineShapes.Check(request.Shape)),
            Isolation = request.Isolation,
            AskedRegion = request.Region,
            MaxDurationMs = request.HasMaxDurationMs ? request.MaxDurationMs : (long)limits.MaxDuration.TotalMilliseconds,
            Ephemeral = !request.HasEphemeral || request.Ephemeral,
            EnvNames = [.. request.Env.Keys.Order(StringComparer.Ordinal)],
            SealedEnv = secrets.Seal(id, policy.Env),
            Capabilities = policy.Capabilities?.ToByteArray(),
            Policy = policy.Policy,
            CreatedAt = clock.GetUtcNow(),
        };
}
