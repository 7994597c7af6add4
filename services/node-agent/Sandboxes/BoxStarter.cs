using System.Security.Cryptography;
using Corral.NodeAgent.Host;
using Corral.NodeAgent.Host.Cgroups;
using Corral.NodeAgent.Networks;
using Corral.NodeAgent.Runtimes;
using Corral.NodeAgent.Storage;

namespace Corral.NodeAgent.Sandboxes;

/// <summary>What a box is started for.</summary>
internal sealed record BoxOrder(Template Template, IContainerRuntime Runtime, BoxLimits Limits)
{
    public string SandboxId { get; init; } = "";

    public long Generation { get; init; }

    public string OrganizationId { get; init; } = "";
}

/// <summary>Starts boxes. What it made of one that could not be started is removed before the caller is told.</summary>
internal sealed class BoxStarter(
    NodePaths paths, NodeOptions options, Journal journal, ICgroups cgroups, IStoragePool storage, NetworkPool networks, BoxView view,
    GuestConnection guests, BoxRemover remover, DeathWatch deaths, NodeTelemetry telemetry, TimeProvider clock) : IDisposable
{
    private const long KernelMemory = 128 << 20;
    private readonly SemaphoreSlim _starting = new(options.ConcurrentStarts > 0 ? options.ConcurrentStarts : 2 * Environment.ProcessorCount);

    public async Task<Box> StartAsync(BoxOrder order, CancellationToken cancellationToken)
    {
        using (telemetry.Begin("start.wait")) await _starting.WaitAsync(cancellationToken);
        try
        {
            using var deadline = new CancellationTokenSource(options.StartTimeout, clock);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
            return await StartOneAsync(order, both.Token);
        }
        finally
        {
            _starting.Release();
        }
    }

    /// <summary>Connects to the guest of a box that runs already.</summary>
    public async Task<Box> AdoptAsync(BoxRecord record, BoxNetwork network, CancellationToken cancellationToken)
    {
        var box = Watched(new Box(record, network, guests));
        await guests.WaitAsync(box, cancellationToken);
        return box;
    }

    public void Dispose() => _starting.Dispose();

    private async Task<Box> StartOneAsync(BoxOrder order, CancellationToken cancellationToken)
    {
        var record = new BoxRecord
        {
            Box = BoxName.New(),
            State = BoxState.Starting,
            Isolation = order.Runtime.Isolation,
            Template = order.Template.Name,
            Digest = order.Template.Digest,
            Limits = order.Limits,
            Token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)),
            SandboxId = order.SandboxId,
            Generation = order.Generation,
            OrganizationId = order.OrganizationId,
        };
        BoxNetwork? network = null;
        var durable = Task.CompletedTask;
        try
        {
            using (telemetry.Begin("start.network")) network = await networks.TakeAsync(cancellationToken);
            record = record with { Network = network.Name };
            durable = journal.WriteAsync(record);
            record = await LaunchAsync(record, order, network, cancellationToken);
            var box = Watched(new Box(record, network, guests));
            using (telemetry.Begin("start.guest")) await AnswersAsync(box, cancellationToken);
            await durable;
            return box;
        }
        catch
        {
            await durable.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            network?.Dispose();
            await remover.DiscardAsync(record);
            throw;
        }
    }

    private async Task AnswersAsync(Box box, CancellationToken cancellationToken)
    {
        try
        {
            await guests.WaitAsync(box, cancellationToken);
        }
        catch (HostException problem)
        {
            // Before all that is left of it is removed.
            throw new HostException($"{problem.Message} {box.Record.Isolation}: {RuntimeProcess.LastWords(paths.Bundle(box.Name))}");
        }
    }

    private async Task<BoxRecord> LaunchAsync(BoxRecord record, BoxOrder order, BoxNetwork network, CancellationToken cancellationToken)
    {
        var flavour = order.Runtime.Flavour;
        var box = record.Box;
        WritableLayer layer;
        using (telemetry.Begin("start.storage")) layer = storage.Create(box, order.Limits.DiskBytes, flavour.FirstId);
        GuestConnection.WriteSettings(layer, record.Token, flavour.FirstId);
        string lower;
        using (telemetry.Begin("start.bundle"))
        {
            lower = await view.LowerAsync(order.Template.Layers, flavour.FirstId, cancellationToken);
            WriteBundle(record, order);
            cgroups.Create(box, CgroupLimitsOf(order.Limits, flavour));
        }

        using (telemetry.Begin("start.runtime"))
        {
            var pid = await HostThread.RunAsync("box", () =>
            {
                BoxNetwork.Enter(network.Box);
                view.Enter(lower, layer);
                return order.Runtime.Start(box, paths.Bundle(box), cgroups.Enter(box));
            });
            return record with { Pid = pid, PidStarted = HostPid.Started(pid) };
        }
    }

    private static CgroupLimits CgroupLimitsOf(BoxLimits limits, OciFlavour flavour) => flavour.OwnKernel
        // gVisor's threads are not the tenant's, and neither is the memory of its kernel: that counts and limits the tenant's by itself.
        ? new CgroupLimits(limits.Cpus, limits.MemoryBytes + (limits.MemoryBytes / 8) + KernelMemory, null)
        : new CgroupLimits(limits.Cpus, limits.MemoryBytes, limits.Processes + OciBundle.SpareProcesses);

    private void WriteBundle(BoxRecord record, BoxOrder order)
    {
        var bundle = paths.Bundle(record.Box);
        Directory.CreateDirectory(bundle);
        using var file = new FileStream(Path.Combine(bundle, "config.json"), new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        OciBundle.Write(file, new BoxSpec
        {
            Box = record.Box,
            Root = paths.Root,
            GuestBinary = GuestBinaryOf(order.Template),
            GuestArguments = [GuestConnection.SettingsPath],
            GuestEnvironment = [],
            Limits = order.Limits,
        }, order.Runtime.Flavour);
    }

    private string GuestBinaryOf(Template template) =>
        new[] { template.Guest, options.GuestBinary, Path.Combine(AppContext.BaseDirectory, "corral-guest"), Path.Combine(paths.Home, "../services/guest/corral-guest") }
            .FirstOrDefault(path => path is { Length: > 0 } && File.Exists(path))
        ?? throw new HostException("There is no corral-guest: build it, or name it in Node:GuestBinary.");

    private Box Watched(Box box)
    {
        box.DeathWatch = deaths.Watch(box.Record.Pid, () => box.TellDied(
            cgroups.OutOfMemoryKills(box.Name) > 0 ? BoxDeath.OutOfMemory : BoxDeath.Exited));
        return box;
    }
}
