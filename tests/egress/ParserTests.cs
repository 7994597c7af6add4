using System.Diagnostics;
using System.Text;
using Corral.Egress.Dns;
using Corral.Egress.Flows;
using Corral.Egress.Policies;
using Corral.Egress.Tests.Lab;
using Xunit;

namespace Corral.Egress.Tests;

/// <summary>What reads bytes that a sandbox or a resolver made up: it answers something sensible to anything, at once.</summary>
public sealed class ParserTests
{
    private const int Rounds = 60_000;

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: Allowed.Test:8080\r\n\r\n", "allowed.test")]
    [InlineData("\r\nPOST /x HTTP/1.1\r\nA: b\r\nhost:allowed.test\r\n\r\n", "allowed.test")]
    [InlineData("GET / HTTP/1.1\nHost: allowed.test\n\n", "allowed.test")]
    [InlineData("GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n", null)]
    [InlineData("PRI * HTTP/2.0\r\n\r\n", null)]
    [InlineData("get / HTTP/1.1\r\nHost: allowed.test\r\n\r\n", "allowed.test")]
    [InlineData("averyverylongmethodthatnobodyhaseverheardof / HTTP/1.1\r\nHost: allowed.test\r\n\r\n", "allowed.test")]
    public void Request_IsRecognisedWithItsHost(string text, string? host)
    {
        var hello = HelloReader.Read(Encoding.Latin1.GetBytes(text), wantsHost: true);
        Assert.Equal((HelloState.Complete, FlowProtocol.Http, host), (hello.State, hello.Protocol, hello.Name));
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: 10.0.0.1\r\nHost: b.test\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a b\r\n\r\n")]
    public void RequestWithAnImpossibleHost_IsMalformed(string text) =>
        Assert.Equal(HelloState.Malformed, HelloReader.Read(Encoding.Latin1.GetBytes(text), wantsHost: true).State);

    [Theory]
    [InlineData("SSH-2.0-x\r\n")]
    [InlineData("EHLO x\r\n")]
    [InlineData("USER x\r\n")]
    [InlineData("hello\n")]
    [InlineData("*1\r\n$4\r\nPING\r\n")]
    [InlineData("get key\r\n")]
    [InlineData("0033git-upload-pack /x.git\0host=x\0")]
    [InlineData("\0\0\0\u0008\u0004")]
    public void OtherProtocols_AreOpaque(string text) => Assert.Equal(Hello.Opaque, HelloReader.Read(Encoding.Latin1.GetBytes(text), wantsHost: false));

    [Theory]
    [InlineData("G")]
    [InlineData("GET")]
    [InlineData("FOO / HT")]
    [InlineData("foo / HT")]
    [InlineData("hello")]
    [InlineData("\r\n")]
    public void BeginningOfARequest_WaitsForMore(string text) =>
        Assert.Equal(HelloState.Incomplete, HelloReader.Read(Encoding.Latin1.GetBytes(text), wantsHost: false).State);

    [Fact]
    public void ClientHello_IsReadFromAnyNumberOfRecords_AndEveryPrefixOfItIsIncomplete()
    {
        foreach (var size in new[] { 1, 3, 40, 16_000 })
        {
            var hello = Hellos.ClientHello("Allowed.test", size);
            Assert.Equal("allowed.test", HelloReader.Read(hello, wantsHost: false).Name);
            for (var length = 1; length < hello.Length; length++)
                Assert.Equal(HelloState.Incomplete, HelloReader.Read(hello.AsSpan(0, length), wantsHost: false).State);
        }
    }

    [Theory]
    [InlineData("10.0.0.1")]
    [InlineData("a..b")]
    [InlineData("a\0.test")]
    [InlineData("")]
    public void ServerNameThatIsNone_IsMalformed(string name) =>
        Assert.Equal(HelloState.Malformed, HelloReader.Read(Hellos.ClientHello(name), wantsHost: false).State);

    [Fact]
    public void MutatedHellos_AreAlwaysAnswered()
    {
        byte[][] seeds =
        [
            Hellos.ClientHello("allowed.test"), Hellos.ClientHello(null), Hellos.ClientHello("allowed.test", 40),
            Encoding.Latin1.GetBytes("GET / HTTP/1.1\r\nHost: allowed.test\r\n\r\n"), Encoding.Latin1.GetBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), [22], [],
        ];
        Fuzz(seeds, bytes =>
        {
            foreach (var wantsHost in new[] { true, false })
            {
                var hello = HelloReader.Read(bytes, wantsHost);
                // Whatever is taken for a name is one.
                if (hello.Name is { } name) Assert.True(DomainName.TryNormalize(name, out var again) && again == name);
            }
        });
    }

    [Fact]
    public void MutatedQuestions_AreAlwaysAnswered_AndTheAnswerFitsTheQuestion()
    {
        byte[][] seeds = [DnsClient.Query("allowed.test", 1), DnsClient.Query(new string('a', 63) + ".b.test", 28), DnsQuestion.Write(7, "a.b.c", 1), new byte[12]];
        Fuzz(seeds, bytes =>
        {
            if (!DnsQuestion.TryRead(bytes, out var question))
            {
                Assert.True(DnsAnswer.ToMalformed(bytes) is null or { Length: 12 });
                return;
            }

            var answer = new DnsAnswer(DnsCode.NoError, Outside.Allowed, 60, IsBlocked: true).Write(question, bytes);
            Assert.True(answer.AsSpan(12, question.Length - 12).SequenceEqual(bytes.AsSpan(12, question.Length - 12)));
            Assert.InRange(question.Name.Length, 0, 254);
        });
    }

    [Fact]
    public void MutatedReplies_AreAlwaysRead()
    {
        var question = DnsQuestion.Write(0x1234, "allowed.test", 1);
        byte[][] seeds =
        [
            Nameserver.Answer(DnsClient.Query("allowed.test", 1), [Outside.Allowed, Outside.Other], 60),
            Nameserver.Answer(question, [], 60, code: 3), Nameserver.Answer(question, [Outside.Allowed], 60, truncated: true),
        ];
        Fuzz(seeds, bytes =>
        {
            if (DnsReply.Read(bytes, question, 1) is { } reply) Assert.InRange(reply.Addresses.Count, 0, 32);
        });
    }

    [Fact]
    public void NameWithPointersInACircle_IsNoQuestion()
    {
        var query = DnsClient.Query("allowed.test", 1);
        (query[12], query[13]) = (0xC0, 12);
        Assert.False(DnsQuestion.TryRead(query, out _));
    }

    [Fact]
    public void QuestionThatWasWritten_IsReadAgain()
    {
        Assert.True(DnsQuestion.TryRead(DnsQuestion.Write(77, "a.b-c.example", 28), out var question));
        Assert.Equal((77, "a.b-c.example", 28, 1), (question.Id, question.Name, question.Type, question.Class));
    }

    // Seeded: a failure names its round and comes again.
    private static void Fuzz(byte[][] seeds, Action<byte[]> check)
    {
        var random = new Random(20_240_607);
        var taken = Stopwatch.StartNew();
        for (var round = 0; round < Rounds; round++)
        {
            var bytes = Mutate(random, seeds[random.Next(seeds.Length)]);
            try
            {
                check(bytes);
            }
            catch (Exception problem)
            {
                throw new InvalidOperationException($"Round {round}: {Convert.ToHexString(bytes)}", problem);
            }
        }

        Assert.InRange(taken.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(20));
    }

    private static byte[] Mutate(Random random, byte[] seed)
    {
        var bytes = new List<byte>(seed);
        for (var changes = random.Next(1, 8); changes > 0; changes--)
        {
            var at = random.Next(bytes.Count + 1);
            switch (random.Next(6))
            {
                case 0 when at < bytes.Count:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1 when at < bytes.Count:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    bytes.Insert(at, (byte)random.Next(256));
                    break;
                case 3 when at < bytes.Count:
                    bytes.RemoveRange(at, random.Next(1, bytes.Count - at + 1));
                    break;
                case 4:
                    bytes.InsertRange(at, [.. bytes.Skip(random.Next(bytes.Count + 1)).Take(random.Next(40))]);
                    break;
                default:
                    if (at < bytes.Count) bytes[at] = random.Next(2) == 0 ? (byte)0 : (byte)255;
                    break;
            }
        }

        return [.. bytes];
    }
}
