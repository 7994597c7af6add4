using Corral.Egress.Dns;
using Corral.Egress.Policies;

namespace Corral.Egress.Flows;

/// <summary>Decides what is done with a connection. A pure function of the policy and of what is known of the connection by now.</summary>
internal static class FlowJudge
{
    private const int Smtp = 25, HttpPort = 80, HttpsPort = 443;

    public static FlowVerdict Judge(EgressPolicy policy, Flow flow)
    {
        var destination = flow.Destination;
        if (flow.AskedName is { } asked) return JudgeName(policy, flow, asked);
        var synthetic = SyntheticNames.Holds(destination.Address);
        if (!synthetic && policy.MatchRange(destination.Address) is { } range) return FlowVerdict.Splice(null, $"cidr:{range}");
        return JudgeAddress(policy, flow, synthetic);
    }

    /// <summary>Whether the first bytes make a difference: not for an address that is listed.</summary>
    public static bool NeedsHello(EgressPolicy policy, Flow flow) =>
        flow.AskedName is not null || SyntheticNames.Holds(flow.Destination.Address) || policy.MatchRange(flow.Destination.Address) is null;

    // The sandbox chose the address itself: what it says it wants there is a name like any other, and that name is dialled, not the address.
    private static FlowVerdict JudgeAddress(EgressPolicy policy, Flow flow, bool synthetic)
    {
        var free = policy.AllowsAll && !synthetic;
        if (flow.Hello.Name is { } name && (!free || policy.Match(name).IsTransformed)) return JudgeName(policy, flow, name);
        if (!free) return FlowVerdict.Refuse(null, synthetic ? Refusals.AddressUnknown : Refusals.AddressNotAllowed);
        return flow.Destination.Port == Smtp ? FlowVerdict.Refuse(null, Refusals.PortDenied) : FlowVerdict.Splice(null, policy.MatchAddress(flow.Destination.Address)!);
    }

    private static FlowVerdict JudgeName(EgressPolicy policy, Flow flow, string name)
    {
        var match = policy.Match(name);
        if (match.Rule is not { } rule) return FlowVerdict.Refuse(name, Refusals.NameNotAllowed);
        if (flow.Destination.Port == Smtp) return FlowVerdict.Refuse(name, Refusals.PortDenied);
        // Where everything may be reached, only what is transformed is worth a lie about names.
        var strict = !policy.AllowsAll || match.IsTransformed;
        return flow.Hello switch
        {
            { State: HelloState.Malformed } when strict => FlowVerdict.Refuse(name, Refusals.HelloMalformed),
            { State: HelloState.Malformed } => FlowVerdict.Splice(name, rule),
            { Protocol: FlowProtocol.Tls } hello => JudgeTls(policy, flow, name, hello.Name, match, strict),
            { Protocol: FlowProtocol.Http } when strict || flow.Destination.Port == HttpPort => FlowVerdict.Terminate(name, rule),
            _ => FlowVerdict.Splice(name, rule),
        };
    }

    private static FlowVerdict JudgeTls(EgressPolicy policy, Flow flow, string name, string? serverName, NameMatch match, bool strict)
    {
        if (serverName is null && strict) return FlowVerdict.Refuse(name, Refusals.ServerNameMissing);
        if (serverName is not null && serverName != name && (strict || policy.Match(serverName).IsTransformed))
            return FlowVerdict.Refuse(name, Refusals.ServerNameMismatch);
        // Secrets go to the usual port only; any other carries what the sandbox itself has.
        return match.IsTransformed && flow.Destination.Port == HttpsPort ? FlowVerdict.Terminate(name, match.Rule!) : FlowVerdict.Splice(name, match.Rule!);
    }
}
