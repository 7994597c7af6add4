using Corral.Api.V1;
using Corral.Security.Tests.Lab;
using Xunit;

namespace Corral.Security.Tests.Egress;

/// <summary>Requests to a host that gets a secret: to have it sent elsewhere, twice, beside one's own, or with a request that nobody judged.</summary>
public sealed class InjectionAttackTests(SecurityLab lab)
{
    private const string Answered = "200 203.0.113.10";

    private static readonly AttackFamily Family = new("injection", Policies.Usual)
    {
        { "a header of ones own", Answered, Passed("/own") },
        { "a header of ones own in odd case", Answered, Passed("/odd") },
        { "a header of ones own twice", Answered, Passed("/twice") },
        { "the header declared to concern the connection", Answered, Passed("/connection") },
        { "the header in a trailer", Answered, Passed("/trailer") },
        { "the header on a folded line", "400", Unread },
        { "the header with a space before its colon", "400", Unread },
        { "the header after a bare carriage return", "400", Unread },
        { "the header after a bare line feed", Answered + "|400", Unread },
        { "the header after a nul", "400", Unread },
        { "the stripped header in odd case", Answered, Passed("/stripped") },
        { "two lengths", "400", Unread },
        { "a length beside chunks", Answered + "( 421 HOST_MISMATCH)?|400", Unread },
        { "chunks under another name", "400", Unread },
        { "chunks that are not the last encoding", "400", Unread },
        { "chunks named twice", "400", Unread },
        { "chunks after a vertical tab", "400", Unread },
        { "a length with a sign", Answered + " 421 HOST_MISMATCH|400", Unread },
        { "a length below nothing", "400", Unread },
        { "a chunk longer than numbers are", "400.*", Unread },
        { "an extension of a chunk with a line in it", "400.*|" + Answered + " 421 HOST_MISMATCH", Unread },
        { "a body on a request that has none", Answered + " 421 HOST_MISMATCH", Refused("HOST_MISMATCH", "/smuggled-body") },
        { "a second request for another host", Answered + " 421 HOST_MISMATCH", Refused("HOST_MISMATCH", "/second-evil") },
        { "a second request for an allowed host", Answered + " 421 HOST_MISMATCH", Refused("HOST_MISMATCH", "/second-allowed") },
        { "a target with another authority", "400", Unread },
        { "a tunnel through the server of the secret", "405 METHOD_NOT_ALLOWED|400", Unread },
        { "a trace of the secret", "405 METHOD_NOT_ALLOWED", Refused("METHOD_NOT_ALLOWED", "/trace") },
        { "a line end within the target", "400", Unread },
        { "an encoded line end within the target", Answered, Passed("/encoded%0d%0aAuthorization:%20mine") },
        { "an upgrade inside tls", Answered, Passed("/upgrade-in-tls") },
        { "a redirection to another host", "302 then 200 203.0.113.11", Passed("/redirect") },
        { "headers without end", "431", Unread },
        { "streams for other hosts", "HOST_MISMATCH HOST_MISMATCH 203.0.113.10", Refused("HOST_MISMATCH", "/h2-evil") },
        { "a stream with two hosts", "HOST_MISMATCH|reset \\d+|203.0.113.10|headers", Unread },
        { "a stream with two authorities", "reset \\d+|goaway \\d+", Unread },
        { "a stream with a header of ones own", "203.0.113.10", Passed("/h2-own") },
        { "a stream with the header in capitals", "reset \\d+|goaway \\d+", Unread },
        { "a stream with the header in a trailer", "203.0.113.10", Passed("/h2-trailer") },
        { "a stream with a line end in a value", "reset \\d+|goaway \\d+|headers", Unread },
        { "a stream with a line end in its path", "reset \\d+|goaway \\d+|headers", Unread },
        { "a stream with a header of connections", "reset \\d+|goaway \\d+", Unread },
        { "a stream with a shorter length than its body", "reset \\d+|goaway \\d+", Unread },
        { "a tunnel of a stream", "METHOD_NOT_ALLOWED", AuditLine.Request("METHOD_NOT_ALLOWED") with { Name = "inject.test" } },
        { "streams that are reset at once", "ended", Unread },
        { "an answer under the authority of the sandbox", "apart", AuditLine.Passed(EgressKind.Connection) with { Name = "allowed.test", Port = 443 } },
    };

    public static IEnumerable<TheoryDataRow<string, string, string>> Attacks => Family.Everywhere();

    private static AuditLine Unread => AuditLine.None("what cannot be read as a request is none");

    [Theory]
    [MemberData(nameof(Attacks))]
    public Task Attack_NeitherMovesNorDoublesTheSecret(string attack, string isolation, string user) => Family.AssertRefusedAsync(lab, attack, isolation, user);

    private static AuditLine Passed(string path) => AuditLine.Passed(EgressKind.Request) with { Name = "inject.test", Path = path };

    private static AuditLine Refused(string reason, string path) => AuditLine.Request(reason) with { Path = path };
}
