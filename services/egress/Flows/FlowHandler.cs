using System.Net.Sockets;
using Corral.Egress.Audit;
using Corral.Egress.Dialing;

namespace Corral.Egress.Flows;

/// <summary>Carries one connection from its acceptance to its end.</summary>
/// <remarks>
/// 1. Its first bytes are looked at, where they make a difference.
/// 2. It is judged: refused, taken over by the terminator, or spliced.
/// 3. What was judged is dialled: the name, not the address that the sandbox knows it by.
/// 4. If the client has said nothing yet, the server may speak; the client's first bytes are held until they are judged.
/// 5. Bytes go both ways until both sides are done.
/// </remarks>
internal sealed partial class FlowHandler(
    HelloSniffer sniffer, IUpstreamDialer dialer, DestinationPolicy destinations, ITerminator terminator, RelayFactory relays, AuditLog audit, EgressTelemetry telemetry,
    EgressOptions options, TimeProvider clock, ILogger<FlowHandler> log)
{
    // Who speaks first does so at once; the others are waiting for the server.
    private static readonly TimeSpan Silence = TimeSpan.FromMilliseconds(150);

    // How long a connection that leads nowhere waits for words to be refused in.
    private static readonly TimeSpan Hesitation = TimeSpan.FromSeconds(1);

    public async Task RunAsync(Flow flow)
    {
        var began = clock.GetTimestamp();
        var reason = Refusals.Failed;
        try
        {
            reason = await ServeAsync(flow);
        }
        catch (OperationCanceledException)
        {
            reason = Refusals.Failed;
        }
        catch (Exception problem) when (problem is SocketException or IOException)
        {
            // The client has gone away.
            reason = "";
        }
        catch (Exception problem)
        {
            LogFailed(problem, flow.Sandbox.Id);
        }

        await EndAsync(flow, flow.CloseReason ?? reason, began);
    }

    private async Task<string> ServeAsync(Flow flow)
    {
        // 1.
        var needsHello = FlowJudge.NeedsHello(flow.Sandbox.Policy, flow);
        if (needsHello) flow.Hello = await FirstBytesAsync(flow, MayBeSilent(flow) ? Silence : options.HelloTimeout);
        // 2.
        if (flow.Hello.State == HelloState.Incomplete) return Refusals.HelloTimeout;
        var verdict = flow.Judge();
        if (verdict.Action == FlowAction.Refuse || flow.Hello.State == HelloState.Ended) return verdict.Reason;
        if (verdict.Action == FlowAction.Terminate) return await TerminateAsync(flow);
        // 3.
        var outcome = await dialer.ConnectAsync(flow.Sandbox, TargetOf(flow, verdict), flow.Closing);
        if (!outcome.Succeeded) return needsHello && flow.Hello.State == HelloState.Silent ? await HearAsync(flow, outcome.Refusal) : outcome.Refusal;
        using var upstream = outcome.Upstream;
        flow.Remote = upstream.Remote;
        // The policy may have changed since the address was looked at.
        var policy = flow.Sandbox.Policy;
        if (flow.IsForbiddenBy(policy, policy, destinations)) return Refusals.PolicyChanged;
        using var relay = relays.Create(flow, upstream);
        // 4.
        if (needsHello && flow.Hello.State == HelloState.Silent) return await HoldAsync(flow, upstream, relay);
        // 5.
        await CarryAsync(flow, upstream, relay, relay.DownAsync());
        return "";
    }

    // Nobody will speak to a client that was slow to speak: it is heard after all, to be judged by its words and answered in its own.
    private async Task<string> HearAsync(Flow flow, string refusal)
    {
        flow.Hello = await FirstBytesAsync(flow, Hesitation);
        if (flow.Hello.State == HelloState.Incomplete) return Refusals.HelloTimeout;
        var verdict = flow.Judge();
        if (verdict.Action == FlowAction.Terminate) return await TerminateAsync(flow);
        return verdict.Reason.Length > 0 ? verdict.Reason : refusal;
    }

    private async Task<string> HoldAsync(Flow flow, Upstream upstream, IRelay relay)
    {
        var spoken = relay.UpstreamReadableAsync();
        var first = FirstBytesAsync(flow, Timeout.InfiniteTimeSpan);
        await Task.WhenAny(spoken, first);
        var down = first.IsCompleted ? null : relay.DownAsync();
        try
        {
            if (down is not null && await Task.WhenAny(first, down) == down && !await down) return Break(flow, upstream);
            flow.Hello = await first;
            var verdict = flow.Judge();
            var reason = flow.Hello.State == HelloState.Incomplete ? Refusals.HelloTimeout
                : verdict.Action == FlowAction.Terminate && down is not null ? Refusals.LateHello
                : verdict.Reason;
            if (reason.Length > 0) return reason;
            if (verdict.Action == FlowAction.Splice)
            {
                await CarryAsync(flow, upstream, relay, down ?? relay.DownAsync());
                return "";
            }
        }
        finally
        {
            relay.Abort();
            if (down is not null) await down;
        }

        // Nothing has passed yet: as if it had never been dialled.
        await spoken.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        relay.Dispose();
        upstream.Dispose();
        flow.Remote = null;
        return await TerminateAsync(flow);
    }

    private static async Task CarryAsync(Flow flow, Upstream upstream, IRelay relay, Task<bool> down)
    {
        await using var cut = flow.Closing.UnsafeRegister(static relay => ((IRelay)relay!).Abort(), relay);
        var whole = await Task.WhenAll(relay.UpAsync(), down);
        if (whole.Contains(false)) Break(flow, upstream);
    }

    // What one side broke is broken for the other: neither may take it for a regular end.
    private static string Break(Flow flow, Upstream upstream)
    {
        upstream.Socket.Abort();
        flow.Client.Abort();
        return "";
    }

    private async Task<string> TerminateAsync(Flow flow)
    {
        await terminator.HandleAsync(flow, flow.Closing);
        return "";
    }

    private Task<Hello> FirstBytesAsync(Flow flow, TimeSpan silence) =>
        sniffer.FirstAsync(flow.Client, wantsHost: flow.AskedName is null, silence, flow.Closing);

    // An address of the sandbox's own choice says nothing, unless every address is allowed: a name has to come.
    private static bool MayBeSilent(Flow flow) => flow.AskedName is not null || flow.Sandbox.Policy.AllowsAll;

    private static DialTarget TargetOf(Flow flow, FlowVerdict verdict) =>
        verdict.Name is { } name ? DialTarget.To(name, flow.Destination.Port) : DialTarget.To(flow.Destination);

    private async Task EndAsync(Flow flow, string reason, long began)
    {
        var passed = reason.Length == 0 || (flow.CloseReason is not null && flow.Verdict is { Action: not FlowAction.Refuse });
        try
        {
            var words = passed ? default : RefusalWords.Of(flow.Protocol, reason);
            if (!words.IsEmpty) await flow.Client.SayAndCloseAsync(words, clock);
            else if (reason.Length > 0) flow.Client.Abort();
        }
        finally
        {
            flow.Sandbox.Flows.Remove(flow);
            flow.Sandbox.Limiter.Closed();
            telemetry.Connection(passed);
            telemetry.Carried(flow.SentBytes, flow.ReceivedBytes);
            audit.Record(flow.Sandbox, AuditRecords.Of(flow, passed, reason, clock.GetElapsedTime(began)));
            flow.Dispose();
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A connection of {SandboxId} failed.")]
    private partial void LogFailed(Exception problem, string sandboxId);
}
