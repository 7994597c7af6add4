using Corral.NodeAgent.Host.Cgroups;
using Corral.NodeAgent.Outbound;
using Corral.NodeAgent.Runtimes;

namespace Corral.NodeAgent.Sandboxes;

/// <summary>Gives a sandbox its box: a warm one where there is one that fits, otherwise a new one.</summary>
internal sealed partial class BoxClaimer(
    BoxStarter starter, BoxRemover remover, WarmPool warm, Journal journal, ICgroups cgroups, GateAttacher gates, NodeTelemetry telemetry, ILogger<BoxClaimer> log)
{
    public async Task<(Box Box, bool Warm)> ClaimAsync(SandboxOrder order, Template template, IContainerRuntime runtime, CancellationToken cancellationToken)
    {
        if (order.Policy is not null) await gates.RequireAsync(cancellationToken);
        // Warm boxes have the default limits, some of which a running box cannot change.
        if (order.Limits == BoxLimits.Default && warm.TryTake(template, runtime) is { } ready)
        {
            try
            {
                using var phase = telemetry.Begin("claim.warm");
                return (await GiveAsync(ready, order, template, frozen: true, cancellationToken), true);
            }
            catch (Exception problem) when (!cancellationToken.IsCancellationRequested && problem is not EgressUnavailableException)
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
        return (await GiveAsync(box, order, template, frozen: false, cancellationToken), false);
    }

    // The record names the tenant only once its environment is inside: a node that dies in between finds a box that nobody was promised.
    private async Task<Box> GiveAsync(Box box, SandboxOrder order, Template template, bool frozen, CancellationToken cancellationToken)
    {
        try
        {
            // Before anything of the tenant is inside, its policy is in force. Egress works while the box thaws.
            var attaching = AttachAsync(box, order, cancellationToken);
            if (frozen) cgroups.Thaw(box.Name);
            var certificate = await attaching;
            using (telemetry.Begin("start.configure"))
            {
                await Task.WhenAll(
                    certificate is null ? Task.CompletedTask : box.TrustAsync(certificate, cancellationToken),
                    box.Guest.ConfigureAsync("", EnvironmentOf(order, template), cancellationToken));
            }

            box.Change(box.Record with
            {
                State = BoxState.Running,
                SandboxId = order.SandboxId,
                Generation = order.Generation,
                OrganizationId = order.OrganizationId,
            });
            // Not awaited: the host's end, which alone that is for, is the box's own.
            _ = journal.WriteAsync(box.Record);
            return box;
        }
        catch
        {
            await remover.DiscardAsync(box);
            throw;
        }
    }

    private async Task<string?> AttachAsync(Box box, SandboxOrder order, CancellationToken cancellationToken)
    {
        if (order.Policy is not { } policy) return null;
        using var phase = telemetry.Begin("start.attach");
        return await gates.AttachAsync(box, order, policy, cancellationToken);
    }

    private static Dictionary<string, string> EnvironmentOf(SandboxOrder order, Template template)
    {
        var environment = order.Policy is null ? [] : new Dictionary<string, string>(TrustEnvironment.Variables);
        foreach (var (name, value) in template.Environment.Concat(order.Environment)) environment[name] = value;
        return environment;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The warm box {Box} could not be claimed; starting another.")]
    private partial void LogWarmUnusable(Exception problem, string box);
}
