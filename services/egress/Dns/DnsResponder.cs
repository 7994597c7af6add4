using Corral.Egress.Audit;
using Corral.Egress.Dialing;
using Corral.Egress.Flows;
using Corral.Egress.Gates;
using Corral.Egress.Policies;
using Corral.Egress.V1;

namespace Corral.Egress.Dns;

/// <summary>
/// Answers a sandbox's questions: an allowed name that leads somewhere gets an address that stands for it, and nothing else gets any. Real
/// addresses never go in, and no record type but A has content: no keys or hints that would change how a name is reached, and no tunnel.
/// </summary>
internal sealed class DnsResponder(UpstreamResolver resolver, DestinationPolicy destinations, AuditLog audit, EgressTelemetry telemetry, TimeProvider clock)
{
    private const uint TimeToLive = 60;

    /// <summary>The answer to a message, or null when it deserves none.</summary>
    public async Task<byte[]?> AnswerAsync(AttachedSandbox sandbox, ReadOnlyMemory<byte> query, CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        if (!DnsQuestion.TryRead(query.Span, out var question))
        {
            if (sandbox.Limiter.TryAsk()) Tell(sandbox, default, DnsDecision.Refuse(DnsCode.FormatError, Refusals.QuestionMalformed), began);
            return DnsAnswer.ToMalformed(query.Span);
        }

        var decision = await DecideAsync(sandbox, question, cancellationToken);
        Tell(sandbox, question, decision, began);
        return decision.Answer.Write(question, query.Span);
    }

    private async ValueTask<DnsDecision> DecideAsync(AttachedSandbox sandbox, DnsQuestion question, CancellationToken cancellationToken)
    {
        var policy = sandbox.Policy;
        if (!sandbox.Limiter.TryAsk()) return DnsDecision.Refuse(DnsCode.Refused, Refusals.TooManyQuestions);
        if (policy.Mode == PolicyMode.DenyAll) return DnsDecision.Refuse(DnsCode.Refused, Refusals.NameNotAllowed);
        if (question.Class != DnsType.In) return DnsDecision.Refuse(DnsCode.NotImplemented, Refusals.QuestionMalformed);
        if (!DomainName.TryNormalize(question.Name, out var name)) return DnsDecision.Refuse(DnsCode.NameError, Refusals.NameMalformed);
        var match = policy.Match(name);
        if (match.Rule is not { } rule) return DnsDecision.Refuse(DnsCode.NameError, Refusals.NameNotAllowed);
        if (question.Type != DnsType.A) return DnsDecision.Allow(DnsAnswer.NoData, rule);
        if (!match.IsExact && !sandbox.Names.Knows(name) && !sandbox.NewNames.TryPayFor(name))
            return DnsDecision.Refuse(DnsCode.Refused, Refusals.NameSuspicious);
        // A proxy resolves names itself; it is told them as they are.
        if (policy.Proxy is null && await MissingAsync(policy, name, rule, cancellationToken) is { } missing) return missing;
        return DnsDecision.Allow(new DnsAnswer(DnsCode.NoError, sandbox.Names.AddressOf(name), TimeToLive), rule);
    }

    // So that a client learns from its resolver, as usual, that there is nothing to connect to.
    private async ValueTask<DnsDecision?> MissingAsync(EgressPolicy policy, string name, string rule, CancellationToken cancellationToken)
    {
        var resolution = await resolver.ResolveAsync(name, cancellationToken);
        return resolution.Outcome switch
        {
            ResolutionOutcome.NotFound => DnsDecision.Allow(new DnsAnswer(DnsCode.NameError), rule, Refusals.NameNotFound),
            ResolutionOutcome.Failed => DnsDecision.Allow(new DnsAnswer(DnsCode.ServerFailure), rule, Refusals.ResolverFailed),
            _ when !resolution.Addresses.Any(address => destinations.Allows(address, policy)) => DnsDecision.Refuse(DnsCode.NameError, Refusals.AddressDenied),
            _ => null,
        };
    }

    private void Tell(AttachedSandbox sandbox, in DnsQuestion question, in DnsDecision decision, long began)
    {
        telemetry.Question(decision.Rule.Length > 0);
        audit.Record(sandbox, AuditRecords.Of(question, decision, clock.GetElapsedTime(began)));
    }
}
