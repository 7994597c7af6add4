using Corral.NodeAgent.Host.Cgroups;
using Corral.NodeAgent.Runtimes;

namespace Corral.NodeAgent.Sandboxes;

/// <summary>Gives a sandbox its box: a warm one where there is one that fits, otherwise a new one.</summary>
internal sealed partial class BoxClaimer(
    BoxStarter starter, BoxRemover remover, WarmPool warm, Journal journal, ICgroups cgroups, NodeTelemetry telemetry, ILogger<BoxClaimer> log)
{
    public async Task<(Box Box, bool Warm)> ClaimAsync(SandboxOrder order, Template template, IContainerRuntime runtime, CancellationToken cancellationToken)
    {
        // Warm boxes have the default limits, some of which a running box cannot change.
        if (order.Limits == BoxLimits.Default && warm.TryTake(template, runtime) is { } ready)
        {
            try
            {
                using var phase = telemetry.Begin("claim.warm");
                cgroups.Thaw(ready.Name);
                return (await GiveAsync(ready, order, template, cancellationToken), true);
            }
            catch (Exception problem) when (!cancellationToken.IsCancellationRequested)
            {
                LogWarmUnusable(problem, ready.Name);
            }
        }

        var box = await starter.StartAsync(new BoxOrder(template, runtime, order.Limits)
        {
            SandboxId = order.SandboxId,
            Generation = order.Generation,
            OrganizationId = order.OrganizationId,
        }, cancellationToken);
        return (await GiveAsync(box, order, template, cancellationToken), false);
    }

    // The record names the tenant only once its environment is inside: a node that dies in between finds a box that nobody was promised.
    private async Task<Box> GiveAsync(Box box, SandboxOrder order, Template template, CancellationToken cancellationToken)
    {
        try
        {
            using (telemetry.Begin("start.configure"))
            {
                var environment = new Dictionary<string, string>(template.Environment);
                foreach (var (name, value) in order.Environment) environment[name] = value;
                await box.Guest.ConfigureAsync("", environment, cancellationToken);
            }

            box.Change(box.Record with
            {
                State = BoxState.Running,
                SandboxId = order.SandboxId,
                Generation = order.Generation,
                OrganizationId = order.OrganizationId,
            });
            await journal.WriteAsync(box.Record);
            return box;
        }
        catch
        {
            await remover.RemoveAsync(box);
            throw;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The warm box {Box} could not be claimed; starting another.")]
    private partial void LogWarmUnusable(Exception problem, string box);
}
