using System.Text;
using Corral.Hosting;
using Corral.Sessions.Events;
using Corral.Sessions.Lifecycle;
using Corral.Sessions.Records;
using Microsoft.Extensions.Options;

namespace Corral.Sessions.Webhooks;

/// <summary>A webhook whose secret was just made.</summary>
internal sealed record NewSecret(WebhookState Webhook, string Secret);

/// <summary>Registers, changes and removes webhooks. One that begins is announced in the due queue before it is written, so that a courier is on its way whatever happens.</summary>
internal sealed class WebhookRegistry(WebhookStore store, Secrets secrets, Targets targets, EventLog log, DueQueue due, IOptions<WebhookOptions> options, TimeProvider clock)
{
    private const int MaxDescription = 256;

    public async Task<NewSecret> AddAsync(string organization, string url, IReadOnlyCollection<string> eventTypes, string description, CancellationToken cancellationToken)
    {
        await CheckUrlAsync(url, cancellationToken);
        CheckDescription(description);
        var (id, secret, now) = (Ids.New("wh-"), SigningSecret.New(), clock.GetUtcNow());
        var record = new WebhookRecord
        {
            Id = id,
            Organization = organization,
            Url = url,
            Description = description,
            EventTypes = Types(eventTypes) ?? [WebhookRecord.AllTypes],
            SealedSecret = Seal(organization, id, secret),
            CreatedAt = now,
            UpdatedAt = now,
        };
        await due.AnnounceAsync(organization, Couriers.Entry(id), 1);
        if (await store.AddAsync(record, options.Value.Most) == WebhookStatus.TooMany)
        {
            await due.ForgetAsync(organization, Couriers.Entry(id));
            throw RpcErrors.ResourceExhausted("WEBHOOK_LIMIT", "The organization has as many webhooks as it may have");
        }

        await WakeAsync(organization, id);
        return new NewSecret(await FindAsync(organization, id), secret);
    }

    public async Task<WebhookState> FindAsync(string organization, string id) =>
        (Ids.IsValid(id, "wh-") ? await store.FindAsync(organization, id) : null) ?? throw Missing();

    /// <summary>Changes what is not null.</summary>
    public async Task<WebhookState> ChangeAsync(
        string organization, string id, string? url, IReadOnlyCollection<string> eventTypes, string? description, bool? enabled, CancellationToken cancellationToken)
    {
        await FindAsync(organization, id);
        if (url is not null)
        {
            await CheckUrlAsync(url, cancellationToken);
        }

        CheckDescription(description ?? "");
        var types = Types(eventTypes);
        return await SaveAsync(organization, id, record => record with
        {
            Url = url ?? record.Url,
            EventTypes = types ?? record.EventTypes,
            Description = description ?? record.Description,
            Enabled = enabled ?? record.Enabled,
            DisabledReason = enabled == true ? null : record.DisabledReason,
        });
    }

    /// <summary>Makes a new secret, and keeps the one before for a while.</summary>
    public async Task<NewSecret> RotateAsync(string organization, string id, TimeSpan overlap)
    {
        await FindAsync(organization, id);
        var secret = SigningSecret.New();
        var changed = await SaveAsync(organization, id, record => record with
        {
            SealedSecret = Seal(organization, id, secret),
            SealedOldSecret = overlap > TimeSpan.Zero ? record.SealedSecret : null,
            OldSecretUntil = overlap > TimeSpan.Zero ? clock.GetUtcNow() + overlap : null,
        });
        return new NewSecret(changed, secret);
    }

    public async Task RemoveAsync(string organization, string id)
    {
        if (!Ids.IsValid(id, "wh-") || !await store.DeleteAsync(organization, id))
        {
            throw Missing();
        }
    }

    /// <summary>Disables a webhook that cannot be reached, once, with an event that says so; not one that leads elsewhere by now.</summary>
    public async Task DisableAsync(WebhookRecord tried, string reason)
    {
        var (organization, id) = (tried.Organization, tried.Id);
        while (await store.FindAsync(organization, id) is { Record.Enabled: true } seen && seen.Record.Url == tried.Url)
        {
            var disabled = seen.Record with { Enabled = false, DisabledReason = reason, UpdatedAt = clock.GetUtcNow() };
            var facts = new EventFacts { Id = id, Url = seen.Record.Url, FailureReason = reason };
            if (await store.SaveAsync(seen, disabled, log.Draft(organization, EventTypes.WebhookDisabled, "", facts)))
            {
                return;
            }
        }
    }

    private async Task<WebhookState> SaveAsync(string organization, string id, Func<WebhookRecord, WebhookRecord> change)
    {
        while (true)
        {
            var seen = await FindAsync(organization, id);
            var changed = change(seen.Record) with { UpdatedAt = clock.GetUtcNow() };
            var begins = changed.Enabled && !seen.Record.Enabled;
            if (begins)
            {
                await due.AnnounceAsync(organization, Couriers.Entry(id), seen.Version + 1);
            }

            if (await store.SaveAsync(seen, changed))
            {
                if (begins)
                {
                    await WakeAsync(organization, id);
                }

                return await FindAsync(organization, id);
            }
        }
    }

    // The next replica that looks takes it, and need not wait for the end of the announcement's lease.
    private Task WakeAsync(string organization, string id) => due.KeepAsync(organization, Couriers.Entry(id), TimeSpan.Zero);

    private async Task CheckUrlAsync(string text, CancellationToken cancellationToken)
    {
        var target = await targets.FindAsync(TargetUrl.Parse(text, options.Value.AllowHttp), cancellationToken);
        switch (target.Error)
        {
            case AttemptErrors.NameNotFound:
                throw TargetUrl.Wrong("its host was not found");
            case AttemptErrors.AddressRefused:
                throw TargetUrl.Wrong("its host must have public addresses only");
        }
    }

    private static void CheckDescription(string description)
    {
        if (description.Length > MaxDescription)
        {
            throw RpcErrors.InvalidArgument("description", $"must be at most {MaxDescription} characters");
        }
    }

    // Null for none.
    private static IReadOnlyList<string>? Types(IReadOnlyCollection<string> asked)
    {
        if (asked.FirstOrDefault(type => type != WebhookRecord.AllTypes && !EventTypes.Known.Contains(type)) is { } unknown)
        {
            throw RpcErrors.InvalidArgument("event_types", unknown.Length <= MaxDescription ? $"'{unknown}' is no type of event" : "one of them is no type of event");
        }

        return asked.Count == 0 ? null : asked.Contains(WebhookRecord.AllTypes) ? [WebhookRecord.AllTypes] : [.. asked.Distinct(StringComparer.Ordinal)];
    }

    private byte[] Seal(string organization, string id, string secret) => secrets.SealBytes(Sender.Context(organization, id), Encoding.UTF8.GetBytes(secret));

    private static global::Grpc.Core.RpcException Missing() => RpcErrors.NotFound("WEBHOOK_NOT_FOUND", "Webhook not found");
}
