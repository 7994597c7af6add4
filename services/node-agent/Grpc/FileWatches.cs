using Corral.Api.V1;
using Corral.GuestLink;
using Corral.Hosting;
using Corral.NodeAgent.Sandboxes;

namespace Corral.NodeAgent.Grpc;

/// <summary>
/// Carries what guests see of their files to those who watch. Nothing is kept here: a client that is slow is waited for, the guest meanwhile
/// gathers what happens, and says so when that became too much.
/// </summary>
internal sealed class FileWatches(IHostApplicationLifetime lifetime, TimeProvider clock)
{
    private static readonly TimeSpan Notice = TimeSpan.FromSeconds(1);

    /// <summary>Returns when what is watched is gone, or the sandbox.</summary>
    public async Task RunAsync(Box box, string path, bool recursive, Func<WatchFilesResponse, CancellationToken, Task> tell, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        try
        {
            await using var stream = await box.Guest.WatchAsync(path, recursive, over.Token);
            await stream.ReadResultAsync(over.Token);
            await tell(new WatchFilesResponse { Watching = new Watching { Path = path } }, over.Token);
            while (await stream.ReadAsync(over.Token) is (Frame.Changes, var payload))
            {
                foreach (var response in Describe(GuestStream.ParseChanges(payload))) await tell(response, over.Token);
            }
        }
        catch (GuestException failure) when (failure.Code == "lost")
        {
            // With its sandbox a watch ends, and nothing went wrong.
            if (!await HasEndedAsync(box)) throw;
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw RpcErrors.Unavailable("NODE_STOPPING", "The node is stopping: watch again.", Notice);
        }
    }

    // The connection may break a moment before the end of its sandbox is known.
    private async Task<bool> HasEndedAsync(Box box)
    {
        await Task.WhenAny(box.Died, Task.Delay(Notice, clock));
        return box.IsDead;
    }

    private static IEnumerable<WatchFilesResponse> Describe(GuestChanges seen)
    {
        if (seen.Lost) yield return new WatchFilesResponse { Overflow = new Overflow() };
        foreach (var change in seen.Changes)
        {
            var kind = change.Kind switch
            {
                "created" => FileChangeKind.Created,
                "deleted" => FileChangeKind.Deleted,
                _ => FileChangeKind.Modified,
            };
            yield return new WatchFilesResponse { Change = new FileChange { Path = change.Path, Kind = kind } };
        }
    }
}
