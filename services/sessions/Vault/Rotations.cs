using Corral.Hosting;
using Corral.Sessions.Lifecycle;
using Corral.Sessions.Policies;

namespace Corral.Sessions.Vault;

/// <summary>
/// Carries changed secrets to the sandboxes that use them. A secret is due before it is changed, and rests when the record of every user
/// says so: whoever dies in between is followed by another replica, and carrying it twice does no harm.
/// </summary>
internal sealed partial class Rotations(SecretStore store, PolicyChanger policies, DueQueue due, IHostApplicationLifetime lifetime, ILogger<Rotations> log)
{
    private const string Prefix = "secret:";

    /// <summary>Whether an entry of the due queue is a secret.</summary>
    public static bool IsRotation(string entry) => entry.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>Says that a secret is about to be changed to this version.</summary>
    public Task AnnounceAsync(string organization, string name, long version) => due.AnnounceAsync(organization, Prefix + name, version);

    /// <summary>Has every user's secrets filled in anew, and waits until that is in force; UNAVAILABLE when it takes too long.</summary>
    public async Task RunAsync(string organization, string name, CancellationToken cancellationToken)
    {
        var refreshed = await RefreshAsync(organization, name);
        var inForce = await Task.WhenAll(refreshed.Select(user => policies.WaitAsync(organization, user.Id, user.Version, cancellationToken)));
        if (inForce.Contains(false))
        {
            throw PolicyChanger.NotInForce();
        }
    }

    /// <summary>Goes on with what another dropped, in the background.</summary>
    public void Resume(string organization, string entry) => _ = Task.Run(
        async () =>
        {
            try
            {
                await RefreshAsync(organization, entry[Prefix.Length..]);
            }
            catch (DependencyUnavailableException)
            {
                // The lease in the due queue brings it back.
            }
            catch (Exception exception)
            {
                LogFault(exception, entry);
            }
        },
        lifetime.ApplicationStopping);

    private async Task<IReadOnlyList<(string Id, long Version)>> RefreshAsync(string organization, string name)
    {
        var version = await store.VersionAsync(organization, name);
        var users = await store.UsersAsync(organization, name);
        var refreshed = await Task.WhenAll(users.Select(async id => (Id: id, Version: await policies.RefreshAsync(organization, id, name))));
        await due.RestAsync(organization, Prefix + name, version, null);
        return [.. refreshed.Where(user => user.Version is not null).Select(user => (user.Id, user.Version!.Value))];
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Carrying {Secret} to the sandboxes that use it failed.")]
    private partial void LogFault(Exception exception, string secret);
}
