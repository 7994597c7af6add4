using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Corral.Gateway.Idempotency;
using Corral.Hosting;
using Corral.Redis;
using Corral.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>Requests that are made again under their key, over two gateways.</summary>
public sealed class IdempotencyTests : LimitedGateways
{
    private const string Exec = "{\"id\":\"sbx-x\",\"command\":\"true\"}";
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(2);

    protected override Dictionary<string, string?> Settings => new()
    {
        ["RateLimits:Enabled"] = "false",
        ["Idempotency:Lease"] = Lease.ToString(),
        ["Idempotency:MaxAnswerBytes"] = "4096",
    };

    [Fact]
    public async Task TheSameRequestAgain_HasTheSameAnswer_AndIsCarriedOutOnce()
    {
        using var first = await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}", idempotencyKey: "one");
        using var again = await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}", idempotencyKey: "one", replica: 1);

        Assert.Equal((HttpStatusCode.Created, HttpStatusCode.Created), (first.StatusCode, again.StatusCode));
        Assert.Equal(await first.Content.ReadAsStringAsync(), await again.Content.ReadAsStringAsync());
        Assert.Equal("application/json", again.Content.Headers.ContentType!.MediaType);
        Assert.False(first.Headers.Contains("Idempotent-Replayed"));
        Assert.Equal("true", again.Headers.GetValues("Idempotent-Replayed").Single());
        Assert.Equal(1, Upstream.Creates);
    }

    [Fact]
    public async Task FiftyAtOnceOnTwoReplicas_AreCarriedOutOnce()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => SendAsync(HttpMethod.Post, "/v1/sandboxes/exec", Exec, idempotencyKey: "one", replica: i % 2)));

        Assert.Equal(1, Upstream.Runs);
        Assert.Contains(answers, answer => answer.StatusCode == HttpStatusCode.OK);
        Assert.All(answers, answer => Assert.Contains(answer.StatusCode, new[] { HttpStatusCode.OK, HttpStatusCode.Conflict }));
    }

    [Fact]
    public async Task TheSameKeyWithAnotherRequest_Is422_AndCarriesNothingOut()
    {
        await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}", idempotencyKey: "one");

        var body = await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{\"runtime\":\"base\"}", idempotencyKey: "one");
        var path = await SendAsync(HttpMethod.Post, "/v1/sandboxes/exec", "{}", idempotencyKey: "one");

        Assert.Equal((HttpStatusCode.UnprocessableEntity, "IDEMPOTENCY_CONFLICT"), (body.StatusCode, await CodeAsync(body)));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, path.StatusCode);
        Assert.Equal((1, 0), (Upstream.Creates, Upstream.Runs));
    }

    [Fact]
    public async Task AnotherKeysHolder_HasRequestsOfItsOwn()
    {
        await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}", idempotencyKey: "one");
        await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}", LimitedUpstream.SecondKey, "one");
        await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}", LimitedUpstream.StrangersKey, "one");

        Assert.Equal(3, Upstream.Creates);
        Assert.Equal(3, Upstream.Callers.Select(caller => caller.IdempotencyId).Distinct().Count());
    }

    [Fact]
    public async Task WhileItRuns_TheSameRequestIsToldSo_AndAfterwardsHasTheAnswer()
    {
        var (arrived, go) = Hold();
        var first = SendAsync(HttpMethod.Post, "/v1/sandboxes/exec", Exec, idempotencyKey: "one");
        await arrived;
        // Longer than a lease: it is renewed as long as it runs.
        await Task.Delay(Lease * 1.5, TestContext.Current.CancellationToken);

        using var meanwhile = await SendAsync(HttpMethod.Post, "/v1/sandboxes/exec", Exec, idempotencyKey: "one", replica: 1);
        go();
        using var answer = await first;
        using var again = await SendAsync(HttpMethod.Post, "/v1/sandboxes/exec", Exec, idempotencyKey: "one", replica: 1);

        Assert.Equal((HttpStatusCode.Conflict, "IDEMPOTENCY_IN_PROGRESS"), (meanwhile.StatusCode, await CodeAsync(meanwhile)));
        Assert.NotNull(meanwhile.Headers.RetryAfter);
        Assert.Equal(await answer.Content.ReadAsStringAsync(), await again.Content.ReadAsStringAsync());
        Assert.Equal(1, Upstream.Runs);
    }

    [Fact]
    public async Task AClientThatGoesAway_FindsItsAnswerWhenItComesBack()
    {
        var (arrived, go) = Hold();
        using var impatient = new CancellationTokenSource();
        var first = SendAsync(HttpMethod.Post, "/v1/sandboxes/exec", Exec, idempotencyKey: "one", cancellationToken: impatient.Token);
        await arrived;
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        go();

        await Eventually.Async("the answer is there", async () =>
            (await SendAsync(HttpMethod.Post, "/v1/sandboxes/exec", Exec, idempotencyKey: "one", replica: 1)).StatusCode == HttpStatusCode.OK);

        Assert.Equal(1, Upstream.Runs);
    }

    [Fact]
    public async Task ARefusedRequest_HadNoEffect_AndMayBeMadeAgain()
    {
        Upstream.Before = () => throw RpcErrors.FailedPrecondition("SANDBOX_NOT_READY", "Sandbox is not ready");
        using var refused = await SendAsync(HttpMethod.Post, "/v1/sandboxes/exec", Exec, idempotencyKey: "one");
        Upstream.Before = () => Task.CompletedTask;

        using var again = await SendAsync(HttpMethod.Post, "/v1/sandboxes/exec", Exec, idempotencyKey: "one");

        Assert.Equal((HttpStatusCode.Conflict, HttpStatusCode.OK), (refused.StatusCode, again.StatusCode));
    }

    [Fact]
    public async Task WhatWasLostOnTheWay_IsNotCarriedOutTwice_AndSaysThatNobodyKnows()
    {
        Upstream.After = () => throw RpcErrors.Unavailable("UPSTREAM_UNAVAILABLE", "The service is unavailable. Try again shortly.", TimeSpan.FromSeconds(1));
        using var lost = await SendAsync(HttpMethod.Post, "/v1/sandboxes/exec", Exec, idempotencyKey: "one");
        Upstream.After = () => Task.CompletedTask;

        using var again = await SendAsync(HttpMethod.Post, "/v1/sandboxes/exec", Exec, idempotencyKey: "one");

        Assert.Equal((HttpStatusCode.ServiceUnavailable, HttpStatusCode.Conflict), (lost.StatusCode, again.StatusCode));
        Assert.Equal("IDEMPOTENCY_OUTCOME_UNKNOWN", await CodeAsync(again));
        Assert.Equal(1, Upstream.Runs);
    }

    [Fact]
    public async Task ACreateThatWasLostOnTheWay_IsMadeAgain_AndSessionsKnowsItAgain()
    {
        Upstream.After = () => throw RpcErrors.Unavailable("UPSTREAM_UNAVAILABLE", "The service is unavailable. Try again shortly.", TimeSpan.FromSeconds(1));
        await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}", idempotencyKey: "one");
        Upstream.After = () => Task.CompletedTask;

        using var again = await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}", idempotencyKey: "one", replica: 1);

        Assert.Equal(HttpStatusCode.Created, again.StatusCode);
        var id = Assert.Single(Upstream.Callers.Select(caller => caller.IdempotencyId).Distinct());
        Assert.NotEmpty(id);
    }

    [Theory]
    [InlineData("/v1/sandboxes", "{}", HttpStatusCode.Created)]
    [InlineData("/v1/sandboxes/exec", Exec, HttpStatusCode.Conflict)]
    public async Task WhereAGatewayDiedWithTheRequest_ACreateRunsAgain_AndAnythingElseDoesNot(string path, string body, HttpStatusCode status)
    {
        await DieWithAsync(path, body, "one");
        using var atOnce = await SendAsync(HttpMethod.Post, path, body, idempotencyKey: "one");
        await Eventually.Async("the dead one's lease has ended", async () =>
        {
            using var answer = await SendAsync(HttpMethod.Post, path, body, idempotencyKey: "one", replica: 1);
            return answer.StatusCode != HttpStatusCode.Conflict || await CodeAsync(answer) != "IDEMPOTENCY_IN_PROGRESS";
        });

        using var later = await SendAsync(HttpMethod.Post, path, body, idempotencyKey: "one");

        Assert.Equal((HttpStatusCode.Conflict, status), (atOnce.StatusCode, later.StatusCode));
        Assert.Equal(0, Upstream.Runs);
    }

    [Fact]
    public async Task AnAnswerThatIsTooLong_IsGivenOnce_AndItsRequestCarriedOutOnce()
    {
        Upstream.Output = new string('x', 5000);
        using var first = await SendAsync(HttpMethod.Post, "/v1/sandboxes/exec", Exec, idempotencyKey: "one");
        using var again = await SendAsync(HttpMethod.Post, "/v1/sandboxes/exec", Exec, idempotencyKey: "one");

        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        Assert.Contains(Upstream.Output, await first.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal("IDEMPOTENCY_ANSWER_NOT_KEPT", await CodeAsync(again));
        Assert.Equal(1, Upstream.Runs);
    }

    [Theory]
    [InlineData("with space")]
    [InlineData("")]
    public async Task AKeyThatIsNone_Is400_AndCarriesNothingOut(string key)
    {
        using var answer = await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}", idempotencyKey: key);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal(0, Upstream.Creates);
    }

    [Fact]
    public async Task ALongKey_HasAtMost255Characters()
    {
        Assert.Equal(HttpStatusCode.Created, (await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}", idempotencyKey: new string('k', 255))).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}", idempotencyKey: new string('k', 256))).StatusCode);
    }

    [Fact]
    public async Task WithoutRedis_NothingIsCarriedOut()
    {
        Redis.Kill();

        using var answer = await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}", idempotencyKey: "one");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal(0, Upstream.Creates);
        await Redis.RestartAsync();
    }

    [Fact]
    public async Task AnAnswer_SurvivesARestartOfRedis_AndLiesThereSealed()
    {
        Upstream.Output = "what only its owner may see";
        await SendAsync(HttpMethod.Post, "/v1/sandboxes/exec", Exec, idempotencyKey: "one-to-find");
        var stored = await Redis.AppendedAsync();
        Redis.Kill();
        await Redis.RestartAsync();

        await Eventually.Async("the answer is there again", async () =>
            (await SendAsync(HttpMethod.Post, "/v1/sandboxes/exec", Exec, idempotencyKey: "one-to-find")).StatusCode == HttpStatusCode.OK);

        Assert.Contains("gateway:request", stored, StringComparison.Ordinal);
        Assert.DoesNotContain(Upstream.Output, stored, StringComparison.Ordinal);
        Assert.DoesNotContain("one-to-find", stored, StringComparison.Ordinal);
        Assert.Equal(1, Upstream.Runs);
    }

    [Fact]
    public async Task AGet_TakesNoNoticeOfTheKey()
    {
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(HttpMethod.Get, "/v1/sandboxes", idempotencyKey: "one")).StatusCode);
        Assert.DoesNotContain("gateway:request", await Redis.AppendedAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhoFollowsACommand_LeavesItWithItsClient_WhateverTheKey()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/sandboxes/exec/attach") { Content = new StringContent("{\"id\":\"sbx-x\",\"execId\":\"e\"}") };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", LimitedUpstream.Key);
        request.Headers.TryAddWithoutValidation("Idempotency-Key", "one");
        using (var answer = await Replicas[0].SendAsync(request, HttpCompletionOption.ResponseHeadersRead))
        {
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.False(Upstream.Left.Task.IsCompleted);
        }

        await Upstream.Left.Task.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.DoesNotContain("gateway:request", await Redis.AppendedAsync(), StringComparison.Ordinal);
    }

    // As a gateway leaves it that was killed while the call ran.
    private async Task DieWithAsync(string path, string body, string text)
    {
        await using var redis = new RedisConnection(Redis.SocketPath);
        var log = new RequestLog(redis, Options.Create(new IdempotencyOptions { Lease = Lease }), TimeProvider.System);
        var key = new RequestKey(LimitedUpstream.Key, "key-1", text);
        var request = new DefaultHttpContext().Request;
        (request.Method, request.Path) = ("POST", path);
        await log.BeginAsync("org", key.Id, key.Fingerprint(request, System.Text.Encoding.UTF8.GetBytes(body)), "run-of-the-dead", mayRunAgain: false);
    }

    private (Task Arrived, Action Go) Hold()
    {
        var (arrived, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        Upstream.Before = () =>
        {
            arrived.TrySetResult();
            return go.Task;
        };
        return (arrived.Task, go.SetResult);
    }

    private static async Task<string?> CodeAsync(HttpResponseMessage answer) => (string?)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["code"];
}
