using System.Net;
using Corral.Egress.Tests.Lab;
using Corral.Egress.V1;
using Xunit;

namespace Corral.Egress.Tests;

/// <summary>What a sandbox learns from its resolver.</summary>
public sealed class NameTests(EgressLab lab)
{
    private const int NoError = 0, NameError = 3, Refused = 5, Blocked = 15;

    [Fact]
    public async Task AllowedName_GetsASyntheticAddressThatStaysTheSame()
    {
        using var box = await lab.BoxAsync(TestBox.Custom("allowed.test", "other.test"));
        var first = await box.AddressOfAsync("allowed.test");
        Assert.StartsWith("198.1", first.ToString(), StringComparison.Ordinal);
        Assert.Equal(first, await box.AddressOfAsync("ALLOWED.test"));
        Assert.NotEqual(first, await box.AddressOfAsync("other.test"));
    }

    [Theory]
    [InlineData("evil.test")]
    [InlineData("allowed.test.evil.test")]
    [InlineData("evilallowed.test")]
    [InlineData("sub.allowed.test")]
    [InlineData("wild.test")]
    [InlineData("evilwild.test")]
    [InlineData("test")]
    [InlineData("localhost")]
    public async Task NameThatIsNotListed_DoesNotExist_AndNobodyOutsideIsAsked(string name)
    {
        using var box = await lab.BoxAsync(TestBox.Custom("allowed.test", "*.wild.test"));
        var answer = await box.AskAsync(name);
        Assert.Equal((NameError, null, Blocked), (answer.Code, answer.Address, answer.ExtendedError));
        Assert.DoesNotContain(name, lab.Outside.Names.Asked);
        var record = await box.AuditOfAsync("the question", r => r.Kind == AuditKind.Dns && r.Name == name);
        Assert.Equal((false, "NAME_NOT_ALLOWED", "A"), (record.Allowed, record.Reason, record.QuestionType));
    }

    [Theory]
    [InlineData("a.wild.test")]
    [InlineData("a.b.c.wild.test")]
    [InlineData("WWW.Wild.Test")]
    [InlineData("under_score.wild.test")]
    public async Task WildcardsNames_AreAllowedAtAnyDepth(string name)
    {
        using var box = await lab.BoxAsync(TestBox.Custom("*.wild.test"));
        Assert.NotNull((await box.AskAsync(name)).Address);
        Assert.Equal("domain:*.wild.test", (await box.AuditOfAsync("the question", r => r.Kind == AuditKind.Dns)).Rule);
    }

    [Fact]
    public async Task OtherResolvers_AreOurs()
    {
        using var box = await lab.BoxAsync(TestBox.Custom("allowed.test"));
        Assert.Equal(NameError, (await box.AskAsync("evil.test", resolver: Outside.Evil)).Code);
        Assert.Equal(await box.AddressOfAsync("allowed.test"), (await box.AskAsync("allowed.test", resolver: IPAddress.Parse("8.8.8.8"))).Address);
        Assert.DoesNotContain(lab.Outside.Packets.Seen, packet => packet.To.Equals(Outside.Evil));
    }

    [Theory]
    [InlineData(16)] // TXT
    [InlineData(10)] // NULL
    [InlineData(15)] // MX
    [InlineData(28)] // AAAA
    [InlineData(33)] // SRV
    [InlineData(64)] // SVCB
    [InlineData(65)] // HTTPS
    [InlineData(255)] // ANY
    public async Task OtherRecordTypes_HaveNoContent_AndDoNotLeave(int type)
    {
        using var box = await lab.BoxAsync(TestBox.AllowAll());
        var name = $"type{type}.wild.test";
        var answer = await box.AskAsync(name, type);
        Assert.Equal((NoError, 0), (answer.Code, answer.Answers));
        Assert.DoesNotContain(name, lab.Outside.Names.Asked);
    }

    [Fact]
    public async Task EverythingAllowed_ANameThatIsNotThere_DoesNotExist()
    {
        using var box = await lab.BoxAsync(TestBox.AllowAll());
        Assert.Equal(NameError, (await box.AskAsync("nothing.test")).Code);
        var record = await box.AuditOfAsync("the question", r => r.Name == "nothing.test");
        Assert.Equal((true, "NAME_NOT_FOUND", "allow-all"), (record.Allowed, record.Reason, record.Rule));
    }

    [Theory]
    [InlineData("private.test")]
    [InlineData("loopback.test")]
    [InlineData("metadata.test")]
    [InlineData("host.test")]
    [InlineData("gate.test")]
    [InlineData("mapped.test")]
    [InlineData("nat64.test")]
    [InlineData("sixtofour.test")]
    [InlineData("linklocal.test")]
    [InlineData("loopback6.test")]
    public async Task NameOfARefusedAddress_DoesNotExist_InAnyMode(string name)
    {
        foreach (var policy in new[] { TestBox.AllowAll(), TestBox.Custom(name) })
        {
            using var box = await lab.BoxAsync(policy);
            Assert.Equal(NameError, (await box.AskAsync(name)).Code);
            Assert.Equal("ADDRESS_DENIED", (await box.AuditOfAsync("the question", r => r.Name == name)).Reason);
        }
    }

    [Fact]
    public async Task DenyAll_RefusesEveryQuestion()
    {
        using var box = await lab.BoxAsync(TestBox.DenyAll());
        Assert.Equal(Refused, (await box.AskAsync("allowed.test")).Code);
    }

    [Fact]
    public async Task AttachedWithoutAPolicy_NothingIsAnswered()
    {
        using var box = await lab.BoxAsync(null);
        Assert.Equal(Refused, (await box.AskAsync("allowed.test")).Code);
    }

    [Fact]
    public async Task QuestionsByTcp_AreAnsweredToo()
    {
        using var box = await lab.BoxAsync(TestBox.Custom("allowed.test"));
        using var client = await box.ConnectAsync(Outside.Evil, 53);
        var query = DnsClient.Query("allowed.test", 1);
        await client.SendAsync(new[] { (byte)0, (byte)query.Length });
        await client.SendAsync(query);
        var length = (await client.ReadAsync(2))[1];
        var answer = await client.ReadAsync(length);
        Assert.Equal(await box.AddressOfAsync("allowed.test"), DnsClient.Read(System.Text.Encoding.Latin1.GetBytes(answer)).Address);
    }

    [Fact]
    public async Task TooManyQuestions_AreRefused_AndTheServiceGoesOn()
    {
        using var box = await lab.BoxAsync(new Policy { Version = 1, Mode = PolicyMode.Custom, AllowDomains = { "allowed.test" }, Limits = new Limits { DnsQuestionsPerSecond = 10 } });
        var codes = new List<int>();
        for (var i = 0; i < 60; i++) codes.Add((await box.AskAsync("allowed.test")).Code);
        Assert.InRange(codes.Count(code => code == NoError), 40, 55);
        Assert.All(codes.TakeLast(1), code => Assert.Equal(Refused, code));
        await box.AuditOfAsync("the refusal", r => r.Reason == "TOO_MANY_QUESTIONS");
    }

    [Fact]
    public async Task TunnelOfLongNames_IsCut_AndUsualNamesBelowTheSameWildcardWork()
    {
        using var box = await lab.BoxAsync(TestBox.Custom("*.wild.test", "allowed.test"));
        for (var i = 0; i < 30; i++) Assert.Equal(NoError, (await box.AskAsync($"img{i}.cdn.wild.test")).Code);
        var answered = 0;
        for (var i = 0; i < 100; i++)
        {
            var label = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData([(byte)i]))[..60];
            if ((await box.AskAsync($"{label}.{label}.{label}.wild.test")).Code == NoError) answered++;
        }

        Assert.InRange(answered, 5, 45);
        await box.AuditOfAsync("the refusal", r => r.Reason == "NAME_SUSPICIOUS");
        Assert.Equal(NoError, (await box.AskAsync("allowed.test")).Code);
        Assert.Equal(NoError, (await box.AskAsync("img1.cdn.wild.test")).Code);
    }

    [Fact]
    public async Task MalformedQuestions_AreAnsweredAsSuchOrNotAtAll_AndTheServiceGoesOn()
    {
        using var box = await lab.BoxAsync(TestBox.Custom("allowed.test"));
        using var socket = await box.Inside.SocketAsync(System.Net.Sockets.SocketType.Dgram);
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Parse("100.64.0.1"), 53));
        var loop = DnsClient.Query("allowed.test", 1);
        (loop[12], loop[13]) = (0xC0, 12);
        var two = DnsClient.Query("allowed.test", 1);
        two[5] = 2;
        byte[][] all = [[], [1], new byte[11], loop, two, [.. DnsClient.Query("allowed.test", 1)[..20]], new byte[4000], [.. Enumerable.Repeat((byte)63, 300)]];
        foreach (var message in all) await socket.SendAsync(message);
        Assert.Equal(1, DnsClient.Read(await DnsClient.ExchangeAsync(box, loop)).Code);
        Assert.Equal(NameError, (await box.AskAsync("a\0b.test")).Code);
        Assert.Equal(NoError, (await box.AskAsync("allowed.test")).Code);
    }

    [Fact]
    public async Task ProgramsInside_ResolveByTheSystemsOwnMeans()
    {
        using var box = await lab.BoxAsync(TestBox.Custom("allowed.test"));
        var printed = await box.PythonAsync("""
            import socket
            print(socket.getaddrinfo("allowed.test", 443, type=socket.SOCK_STREAM)[0][4][0])
            try: socket.getaddrinfo("evil.test", 443)
            except socket.gaierror as e: print(e.errno == socket.EAI_NONAME)
            """);
        Assert.Equal($"{await box.AddressOfAsync("allowed.test")}\nTrue", printed);
    }

    [Fact]
    public async Task ForgedReplies_AreNotBelieved()
    {
        // First a wrong id, then another question, then an answer in truth.
        lab.Outside.Names.Forged["forged.wild.test"] = query =>
        {
            var wrongId = Nameserver.Answer(query, [Outside.Evil], 60);
            wrongId[0] ^= 1;
            var wrongName = Nameserver.Answer(query, [Outside.Evil], 60);
            wrongName[13] = (byte)'x';
            return [wrongId, wrongName, Nameserver.Answer(query, [Outside.Allowed], 60)];
        };
        using var box = await lab.BoxAsync(TestBox.Custom("*.wild.test"));
        using var client = await box.ConnectAsync("forged.wild.test", Outside.Echo);
        Assert.Equal("hello\n", await client.AskAsync("hello\n"));
        client.Dispose();
        Assert.Equal(Outside.Allowed.ToString(), (await box.AuditOfAsync("the connection", r => r.Kind == AuditKind.Connection)).Address);
    }

    [Fact]
    public async Task TruncatedReply_IsFetchedByTcp()
    {
        lab.Outside.Names.Truncated["long.wild.test"] = true;
        using var box = await lab.BoxAsync(TestBox.Custom("*.wild.test"));
        Assert.NotNull((await box.AskAsync("long.wild.test")).Address);
    }
}
