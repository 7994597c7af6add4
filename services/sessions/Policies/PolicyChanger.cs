using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.Lifecycle;
using Corral.Sessions.Records;
using Microsoft.Extensions.Options;

namespace Corral.Sessions.Policies;

/// <summary>Changes policies of sandboxes that live: the record first, then the driver has the node put it in force.</summary>
internal sealed class PolicyChanger(
    SandboxStore store, DueQueue due, SandboxDriver driver, ChangeFeed changes, PolicyDrafter drafter, IOptions<PolicyOptions> options, TimeProvider clock)
{
    /// <summary>Replaces a policy; answers when it is written. <paramref name="version"/> is the one that the caller saw, if it said so.</summary>
    public async Task<SandboxRecord> ReplaceAsync(string organization, string id, NetworkPolicy asked, long? version)
    {
        while (await store.FindAsync(organization, id) is { } seen)
        {
            var present = seen.Record.Policy;
            if (seen.Record.IsOver || seen.Record.State == SandboxState.Ending || present is null)
            {
                throw RpcErrors.FailedPrecondition("SANDBOX_ENDED", "The sandbox has ended");
            }

            if (version is { } expected && expected != present.Version)
            {
                throw RpcErrors.Aborted("POLICY_VERSION_MISMATCH", $"The policy is at version {present.Version}");
            }

            if (await SaveAsync(seen, await drafter.RedraftAsync(seen.Record, present, asked)) is { } changed)
            {
                return changed;
            }
        }

        throw RpcErrors.NotFound("SANDBOX_NOT_FOUND", "Sandbox session not found");
    }

    /// <summary>Has a sandbox's secrets filled in anew, if it uses the one that changed. Answers the version to wait for; null when there is none.</summary>
    public async Task<long?> RefreshAsync(string organization, string id, string secretName)
    {
        while (await store.FindAsync(organization, id) is { Record: { IsOver: false, Policy: { } present } } seen && present.SecretNames.Contains(secretName))
        {
            if (await SaveAsync(seen, present with { Version = present.Version + 1 }) is { } changed)
            {
                return changed.Policy!.Version;
            }
        }

        return null;
    }

    /// <summary>Waits until a version is in force, or needs no more to be: false when that took too long.</summary>
    public async Task<bool> WaitAsync(string organization, string id, long version, CancellationToken cancellationToken)
    {
        var until = clock.GetUtcNow() + options.Value.ForcePatience;
        while (true)
        {
            var change = changes.NextAsync(id);
            if (await store.FindAsync(organization, id) is not { Record: var record } || record.IsOver || record.Policy?.InForce >= version)
            {
                return true;
            }

            // The driver starts it with the policy that its record then has.
            if (record.State is SandboxState.Queued or SandboxState.Assigning)
            {
                return true;
            }

            if (clock.GetUtcNow() >= until)
            {
                return false;
            }

            await changes.WaitAsync(change, cancellationToken);
        }
    }

    /// <summary>What the caller is told when that took too long.</summary>
    public static global::Grpc.Core.RpcException NotInForce() => RpcErrors.Unavailable(
        "POLICY_NOT_IN_FORCE", "The change is written, but a host did not confirm it in time; it is put in force as soon as the host can.", TimeSpan.FromSeconds(2));

    // Due before it is written: should this replica die in between, another finds the sandbox and its policy that is not in force.
    private async Task<SandboxRecord?> SaveAsync(Versioned seen, PolicyRecord policy)
    {
        var changed = seen.Record with { Policy = policy };
        await due.AnnounceAsync(changed.Organization, changed.Id, seen.Version + 1);
        if (!await store.SaveAsync(seen, changed))
        {
            return null;
        }

        driver.Drive(changed.Organization, changed.Id);
        return changed;
    }
}
