using System.Net;
using System.Net.Sockets;
using Corral.Egress.Audit;
using Corral.Egress.Dns;
using Corral.Egress.Gates;

namespace Corral.Egress.Flows;

/// <summary>Accepts what a sandbox connects to, whatever that is.</summary>
internal sealed partial class FlowServer(FlowHandler handler, AuditLog audit, EgressTelemetry telemetry, TimeProvider clock, ILogger<FlowServer> log)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    /// <summary>Serves until the sandbox is detached.</summary>
    public async Task ServeAsync(AttachedSandbox sandbox, Socket listener)
    {
        while (!sandbox.Detached.IsCancellationRequested)
        {
            try
            {
                Begin(sandbox, await listener.AcceptAsync(sandbox.Detached));
            }
            catch (Exception) when (sandbox.Detached.IsCancellationRequested)
            {
                return;
            }
            catch (Exception problem)
            {
                // Out of descriptors, most likely: the others need the time.
                LogAcceptFailed(problem, sandbox.Id);
                await Task.Delay(Pause, clock, sandbox.Detached).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private void Begin(AttachedSandbox sandbox, Socket client)
    {
        if (sandbox.Limiter.TryOpen() is { } reason)
        {
            Refuse(sandbox, client, reason);
            return;
        }

        if (TryOpen(sandbox, client) is { } flow)
        {
            sandbox.Flows.Add(flow);
            _ = handler.RunAsync(flow);
            return;
        }

        client.Dispose();
        sandbox.Limiter.Closed();
    }

    private static Flow? TryOpen(AttachedSandbox sandbox, Socket client)
    {
        try
        {
            client.NoDelay = true;
            client.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            var destination = OriginalDestination.Of(client);
            return new Flow(sandbox, client, destination) { AskedName = SyntheticNames.Holds(destination.Address) ? sandbox.Names.Find(destination.Address) : null };
        }
        catch (SocketException)
        {
            // It is gone already.
            return null;
        }
    }

    private void Refuse(AttachedSandbox sandbox, Socket client, string reason)
    {
        IPEndPoint? destination = null;
        try
        {
            destination = OriginalDestination.Of(client);
        }
        catch (SocketException)
        {
            // It is gone already.
        }

        client.Abort();
        telemetry.Connection(allowed: false);
        audit.Record(sandbox, AuditRecords.Refused(destination, reason));
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A connection of {SandboxId} could not be accepted.")]
    private partial void LogAcceptFailed(Exception problem, string sandboxId);
}
