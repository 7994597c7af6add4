using Corral.Hosting;
using Corral.NodeAgent.Sandboxes;
using Corral.Sessions.V1;
using Grpc.Core;

namespace Corral.NodeAgent.Grpc;

/// <summary>Tells sessions what runs here: first all, then each change; and ends what sessions does not know.</summary>
internal sealed partial class SessionsLink(
    NodeReportService.NodeReportServiceClient sessions, NodeOptions options, SandboxTable table, SandboxFeed feed, TimeProvider clock, ILogger<SessionsLink> log)
    : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await ReportAsync(stoppingToken);
            }
            catch (Exception problem) when (!stoppingToken.IsCancellationRequested)
            {
                LogLost(problem is RpcException rpc ? rpc.Status.Detail : problem.Message);
            }

            await Task.Delay(Pause, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ReportAsync(CancellationToken stopping)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        using var call = sessions.Report(cancellationToken: over.Token);
        var hearing = HearAsync(call.ResponseStream, over);
        try
        {
            var address = options.Address.Length > 0 ? options.Address : "unix:" + CorralPaths.Socket("node-agent");
            await call.RequestStream.WriteAsync(new ReportRequest { Introduction = new NodeIntroduction { NodeId = options.Id, Address = address } }, over.Token);
            // What becomes ready from here on need not be in the list: sessions has written down since when.
            await call.ResponseHeadersAsync.WaitAsync(over.Token);
            var all = feed.Restart(table.List);
            foreach (var view in all) await call.RequestStream.WriteAsync(Tell(view), over.Token);
            await call.RequestStream.WriteAsync(new ReportRequest { Inventory = new Inventory { Count = all.Count } }, over.Token);
            while (true) await call.RequestStream.WriteAsync(Tell(await feed.TakeAsync(over.Token)), over.Token);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            await hearing; // ended first, and says why
        }
    }

    private async Task HearAsync(IAsyncStreamReader<ReportResponse> answers, CancellationTokenSource over)
    {
        try
        {
            while (await answers.MoveNext(over.Token))
            {
                var answer = answers.Current;
                if (answer.Acknowledgement is { Observed: Observed.Ended or Observed.Exited or Observed.Failed } told)
                    feed.Acknowledge(told.SandboxId, told.Generation);
                if (answer.End is { } order) _ = EndAsync(order);
            }
        }
        finally
        {
            await over.CancelAsync();
        }
    }

    private async Task EndAsync(EndOrder order)
    {
        try
        {
            await table.EndAsync(order.SandboxId, order.Generation, CancellationToken.None);
            feed.Acknowledge(order.SandboxId, order.Generation); // sessions does not know it: nobody wants to hear of its end
        }
        catch (Exception problem)
        {
            LogEndFailed(problem, order.SandboxId, order.Generation);
        }
    }

    private static ReportRequest Tell(SandboxView view) => new()
    {
        Observation = new SandboxObservation
        {
            SandboxId = view.SandboxId,
            Generation = view.Generation,
            Observed = view.Phase switch
            {
                SandboxPhase.Starting => Observed.Starting,
                SandboxPhase.Failed => Observed.Failed,
                SandboxPhase.Exited => Observed.Exited,
                SandboxPhase.Ended => Observed.Ended,
                _ => Observed.Running, // also while it is being ended: it is still there
            },
            Reason = view.Death?.Reason ?? "",
            Message = view.Death?.Message ?? "",
            RunningCommands = view.RunningCommands,
            PolicyVersion = view.PolicyVersion,
        },
    };

    [LoggerMessage(Level = LogLevel.Warning, Message = "Not reporting to sessions; trying again: {Reason}")]
    private partial void LogLost(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Sandbox {SandboxId}, generation {Generation}, which sessions does not know, could not be ended.")]
    private partial void LogEndFailed(Exception problem, string sandboxId, long generation);
}
