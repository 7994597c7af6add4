using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net.Http;
using Corral.Egress.Flows;
using Corral.Egress.V1;
using Corral.Tests.Support;

namespace Corral.Termination.Tests;

/// <summary>What is on record of a request.</summary>
public sealed class RecordTests
{
    private const string Placeholder = "corral-secret-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1";

    [Fact]
    public async Task RequestThatPassed_IsRecorded_WithNamesAndVersionsOfSecretsAndNoValue()
    {
        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
        await using var terminating = await StartAsync(origin.Port);
        using var client = terminating.Client(terminating.Listen("api.test"));
        using var request = new HttpRequestMessage(HttpMethod.Post, "https://api.test/path?token=query") { Content = new StringContent("12345") };
        request.Headers.TryAddWithoutValidation("X-Placeholder", Placeholder);
        using var answer = await client.SendAsync(request);
        var length = (await answer.Content.ReadAsByteArrayAsync()).Length;
        var record = await terminating.RecordAsync();
        Assert.True(record.Allowed);
        Assert.Equal(("api.test", 443, "POST", "/path", 200), (record.Name, record.Port, record.Method, record.Path, record.Status));
        Assert.Equal(("transform:api.test", "", "127.0.0.1"), (record.Rule, record.Reason, record.Address));
        Assert.Equal(["Authorization"], record.InjectedHeaders);
        Assert.Equal([("KEY", 3), ("OTHER", 7)], record.Secrets.Select(use => (use.Name, use.Version)).Order());
        Assert.Equal((5, length), (record.SentBytes, record.ReceivedBytes));
        Assert.DoesNotContain(Terminating.Secret, record.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("query", record.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task RequestThatWasRefused_IsRecordedWithItsReason()
    {
        await using var terminating = await StartAsync(1);
        await using var client = await RawClient.TlsAsync(terminating, terminating.Listen("api.test"), "api.test");
        await client.SendAsync("GET /x?secret HTTP/1.1\r\nHost: evil.test\r\n\r\n");
        await client.AnswerAsync();
        var record = await terminating.RecordAsync();
        Assert.False(record.Allowed);
        Assert.Equal((Refusals.HostMismatch, 421, "/x"), (record.Reason, record.Status, record.Path));
        Assert.Empty(record.InjectedHeaders);
        Assert.Empty(record.Secrets);
    }

    [Theory]
    [InlineData(Refusals.ConnectFailed, true)]
    [InlineData(Refusals.AddressDenied, false)]
    public async Task RequestWhoseServerCouldNotBeReached_IsRecordedWithItsReason(string reason, bool allowed)
    {
        await using var terminating = await StartAsync(1);
        terminating.Dialer.Refuse("api.test", reason);
        using var client = terminating.Client(terminating.Listen("api.test"));
        using var answer = await client.GetAsync("https://api.test/");
        var record = await terminating.RecordAsync();
        Assert.Equal((allowed, reason, (int)answer.StatusCode), (record.Allowed, record.Reason, record.Status));
    }

    [Fact]
    public async Task Requests_AreCounted_ByWhetherTheyPassed_AndByWhatWasInTheirWay()
    {
        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
        await using var terminating = await StartAsync(origin.Port);
        var counted = new ConcurrentQueue<(bool Allowed, string Reason)>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter == terminating.Telemetry.Meter && instrument.Name == "corral.egress.requests") self.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) => counted.Enqueue(((bool)tags[0].Value!, (string)tags[1].Value!)));
        listener.Start();
        using var client = terminating.Client(terminating.Listen("api.test"));
        using var passed = await client.GetAsync("https://api.test/");
        await terminating.RecordAsync();
        await using var foreign = await RawClient.TlsAsync(terminating, terminating.Listen("api.test"), "api.test");
        await foreign.SendAsync("GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n");
        await Eventually.Async("both are counted", () => counted.Count == 2);
        Assert.Equal([(true, ""), (false, Refusals.HostMismatch)], counted);
    }

    private static async Task<Terminating> StartAsync(int port)
    {
        var terminating = await Terminating.StartAsync();
        terminating.Dialer.Map("api.test", port);
        var policy = Terminating.Inject("api.test", "Authorization", Terminating.Secret);
        policy.Placeholders.Add(new Placeholder { Text = Placeholder, Domain = "api.test", Value = Terminating.Secret, Secret = new SecretUse { Name = "OTHER", Version = 7 } });
        terminating.Apply(policy);
        return terminating;
    }
}
