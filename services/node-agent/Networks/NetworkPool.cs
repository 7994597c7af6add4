using System.Threading.Channels;
using Corral.NodeAgent.Host;

namespace Corral.NodeAgent.Networks;

/// <summary>
/// Networks prepared ahead: making one costs more than all else of a start. Each serves one box and is then given back to the kernel.
/// </summary>
internal sealed partial class NetworkPool(NodePaths paths, NodeOptions options, TimeProvider clock, ILogger<NetworkPool> log) : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<BoxNetwork> _ready = Channel.CreateBounded<BoxNetwork>(Math.Max(1, options.PreparedNetworks)); // full: the filler waits
    private Task _filling = Task.CompletedTask;

    public int Ready => _ready.Reader.Count;

    /// <summary>Makes the directory's mounts stay here: what the host's other mount namespaces see of them would keep them alive.</summary>
    public static void Prepare(NodePaths paths)
    {
        if (Mounts.Below(paths.Namespaces).Contains(paths.Namespaces)) return;
        Mounts.Bind(paths.Namespaces, paths.Namespaces);
        Mounts.Mount(null, paths.Namespaces, null, Libc.MsPrivate);
    }

    public void Start() => _filling = Task.Run(FillAsync);

    public async ValueTask<BoxNetwork> TakeAsync(CancellationToken cancellationToken)
    {
        if (_ready.Reader.TryRead(out var network)) return network;
        var making = CreateAsync();
        try
        {
            return await making.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            _ = DiscardAsync(making);
            throw;
        }
    }

    public BoxNetwork? TryOpen(string name) => BoxNetwork.TryOpen(paths.Namespaces, name);

    public void Remove(string name) => BoxNetwork.Remove(paths.Namespaces, name);

    /// <summary>The names of all networks there are, used or not.</summary>
    public IReadOnlyList<string> List() =>
        [.. Directory.EnumerateFiles(paths.Namespaces).Select(path => Path.GetFileNameWithoutExtension(path)).Distinct()];

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _ready.Writer.TryComplete();
        await _filling.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        while (_ready.Reader.TryRead(out var network)) Discard(network);
        _stop.Dispose();
    }

    private Task<BoxNetwork> CreateAsync()
    {
        var name = BoxName.New();
        return HostThread.RunAsync("network", () =>
        {
            try
            {
                return BoxNetwork.Create(paths.Namespaces, name);
            }
            catch
            {
                BoxNetwork.Remove(paths.Namespaces, name);
                throw;
            }
        });
    }

    private async Task FillAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                if (!await _ready.Writer.WaitToWriteAsync(_stop.Token)) return;
                var network = await CreateAsync();
                if (!_ready.Writer.TryWrite(network)) Discard(network);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception problem)
            {
                // Takers make their own meanwhile, and tell their callers.
                LogFillFailed(problem);
                await Task.Delay(TimeSpan.FromSeconds(5), clock, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    // Nobody else knows of it.
    private async Task DiscardAsync(Task<BoxNetwork> making)
    {
        try
        {
            Discard(await making);
        }
        catch (Exception problem)
        {
            LogDiscardFailed(problem);
        }
    }

    private void Discard(BoxNetwork network)
    {
        network.Dispose();
        Remove(network.Name);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A network could not be prepared ahead.")]
    private partial void LogFillFailed(Exception problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "A network that nobody waited for could not be made or removed.")]
    private partial void LogDiscardFailed(Exception problem);
}
