using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Corral.Api.V1;
using Corral.Gateway.Routing;
using Corral.Hosting;
using Grpc.Core;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>The gateway over HTTP: who may, what is read, and what is answered.</summary>
public sealed class EdgeTests(HostedGateway gateway)
{
    [Fact]
    public async Task ACreate_GoesThroughAndComesBack()
    {
        var (status, body, _) = await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{\"runtime\":\"base\",\"env\":{\"A\":\"1\"}}");

        Assert.Equal((HttpStatusCode.Created, "sbx-made", "queued"), (status, (string)body!["id"]!, (string)body["status"]!));
        Assert.Equal(("base", "org", "key-1"), (gateway.Sessions.Created!.Value.Request.Runtime, gateway.Sessions.Created.Value.Caller.OrganizationId, gateway.Sessions.Created.Value.Caller.KeyId));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("Bearer ")]
    [InlineData("Bearer br_live_wrongwrongwrongwrongwrongwrongwr")]
    [InlineData("Basic YTpi")]
    public async Task WithoutAKeyOfOurs_NothingIsAnswered(string? authorization)
    {
        var (status, body, _) = await SendAsync(HttpMethod.Get, "/v1/sandboxes", authorization: authorization);

        Assert.Equal((HttpStatusCode.Unauthorized, "{\"error\":\"Invalid or missing API key\"}"), (status, body!.ToJsonString()));
    }

    [Theory]
    [InlineData("Authorization", "Bearer " + FakeSessions.Key)]
    [InlineData("Authorization", "bearer   " + FakeSessions.Key)]
    [InlineData("Authorization", FakeSessions.Key)]
    [InlineData("leap0-authorization", FakeSessions.Key)]
    public async Task AKey_IsTakenInEveryFormOfTheDocuments(string header, string value)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/sandboxes");
        request.Headers.TryAddWithoutValidation(header, value);

        Assert.Equal(HttpStatusCode.OK, (await gateway.Client.SendAsync(request)).StatusCode);
    }

    [Fact]
    public async Task AKeyWithoutTheScope_IsToldWhichOneItNeeds()
    {
        var (status, body, _) = await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}", FakeSessions.ReadKey);

        Assert.Equal(HttpStatusCode.Forbidden, status);
        Assert.Equal("{\"error\":\"Insufficient permissions\",\"code\":\"PERMISSION_DENIED\",\"requiredScope\":\"sandbox_sessions:create\"}", body!.ToJsonString());
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(HttpMethod.Get, "/v1/sandboxes", key: FakeSessions.ReadKey)).Status);
    }

    [Fact]
    public async Task WithoutNoticesOfChanges_NothingIsKept()
    {
        // This gateway has no Redis to hear them from.
        var before = gateway.Sessions.Lists;

        await SendAsync(HttpMethod.Get, "/v1/sandboxes");
        await SendAsync(HttpMethod.Get, "/v1/sandboxes");

        Assert.True(gateway.Sessions.Lists >= before + 2);
    }

    [Fact]
    public async Task AStrangePath_IsNotFound_AndAStrangeVerbIsNotAllowed()
    {
        var (notFound, _, _) = await SendAsync(HttpMethod.Get, "/v1/nothing");
        var (notAllowed, _, headers) = await SendAsync(HttpMethod.Patch, "/v1/sandboxes", "{}");

        Assert.Equal((HttpStatusCode.NotFound, HttpStatusCode.MethodNotAllowed), (notFound, notAllowed));
        Assert.Equal("DELETE, GET, POST", string.Join(", ", headers.GetValues("Allow")));
    }

    [Theory]
    [InlineData("GET", "/v1/sandbox/a.b", HttpStatusCode.Unauthorized, "{\"message\":\"Invalid or missing API key\"}")]
    [InlineData("PUT", "/v1/sandbox/a.b", HttpStatusCode.MethodNotAllowed, "{\"message\":\"Method not allowed\"}")]
    [InlineData("GET", "/v1/nothing.txt", HttpStatusCode.NotFound, "{\"error\":\"Not found\"}")]
    [InlineData("POST", "/openapi.json", HttpStatusCode.NotFound, "{\"error\":\"Not found\"}")]
    [InlineData("POST", "/docs", HttpStatusCode.NotFound, "{\"error\":\"Not found\"}")]
    [InlineData("POST", "/health/live", HttpStatusCode.NotFound, "{\"error\":\"Not found\"}")]
    public async Task APath_IsAnsweredInItsDialect_DotOrNone(string verb, string path, HttpStatusCode expected, string error)
    {
        var (status, body, _) = await SendAsync(new HttpMethod(verb), path, authorization: null);

        Assert.Equal((expected, error), (status, body!.ToJsonString()));
    }

    [Fact]
    public async Task TheDocumentsPage_IsThere() =>
        Assert.Equal("text/html", (await gateway.Client.GetAsync("/docs")).Content.Headers.ContentType!.MediaType);

    [Fact]
    public async Task ANativeMethodWithADotInItsName_IsRefusedInGrpcsWay()
    {
        using var channel = ChannelPool.Open(gateway.Native);
        var odd = new Method<byte[], byte[]>(MethodType.Unary, "corral.api.v1.SandboxService", "a.b", new(bytes => bytes, bytes => bytes), new(bytes => bytes, bytes => bytes));

        var (reason, code) = await RefusedAsync(() => channel.CreateCallInvoker().AsyncUnaryCall(odd, null, new CallOptions(Key(FakeSessions.Key)), []).ResponseAsync);

        Assert.Equal(("NO_SUCH_METHOD", StatusCode.Unimplemented), (reason, code));
    }

    [Theory]
    [InlineData("/v1/sandboxes?colour=red", "Unknown query parameter: colour")]
    [InlineData("/v1/sandboxes?limit=many", "Invalid limit: must be a whole number")]
    [InlineData("/v1/sandboxes?limit=1&limit=2", "limit must be given once")]
    [InlineData("/v1/sandboxes?limit=99999999999", "Invalid limit: must be a whole number")]
    [InlineData("/v1/sandboxes?id=a&id=b", "id must be given once")]
    public async Task AWrongQuery_IsNamed(string path, string error)
    {
        var (status, body, _) = await SendAsync(HttpMethod.Get, path);

        Assert.Equal((HttpStatusCode.BadRequest, error), (status, (string)body!["error"]!));
    }

    [Fact]
    public async Task ABodyOverTenMebibytes_IsRefused_WhetherItSaysSoOrNot()
    {
        var large = new string(' ', (10 * 1024 * 1024) + 1);
        using var chunked = new HttpRequestMessage(HttpMethod.Post, "/v1/sandboxes") { Content = new StreamContent(new MemoryStream(Encoding.ASCII.GetBytes(large))) };
        chunked.Headers.TransferEncodingChunked = true;
        chunked.Headers.Authorization = new AuthenticationHeaderValue("Bearer", FakeSessions.Key);

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await SendAsync(HttpMethod.Post, "/v1/sandboxes", large)).Status);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await gateway.Client.SendAsync(chunked)).StatusCode);
    }

    [Fact]
    public async Task SessionsAway_Is503WithRetryAfter_AndNoPathOfOurs()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/sandboxes");
        request.Headers.TryAddWithoutValidation("Authorization", FakeSessions.Key);

        using var response = await gateway.Lonely.SendAsync(request);
        var body = await response.Content.ReadAsStringAsync();

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.True(response.Headers.RetryAfter?.Delta >= TimeSpan.FromSeconds(1));
        Assert.Equal("{\"error\":\"The service is unavailable. Try again shortly.\"}", body);
    }

    [Fact]
    public async Task ANativeCall_WithSessionsAway_IsUnavailable_AndNamesNoPathOfOurs()
    {
        using var channel = ChannelPool.Open(gateway.LonelyNative);
        var refused = await Assert.ThrowsAsync<RpcException>(() => new SandboxService.SandboxServiceClient(channel).CreateAsync(
            new CreateRequest(), new Metadata { { "authorization", "Bearer " + FakeSessions.Key } }).ResponseAsync);

        Assert.Equal((StatusCode.Unavailable, "The service is unavailable. Try again shortly."), (refused.StatusCode, refused.Status.Detail));
    }

    [Fact]
    public async Task ANativeCall_GoesThrough_AndTheCallersOwnIdentityIsNotBelieved()
    {
        using var channel = ChannelPool.Open(gateway.Native);
        var metadata = new Metadata { { "authorization", "Bearer " + FakeSessions.Key }, { "corral-organization", "other" }, { "corral-scopes", "everything" } };

        var answer = await new SandboxService.SandboxServiceClient(channel).CreateAsync(new CreateRequest { Runtime = "native" }, metadata);

        Assert.Equal("sbx-made", answer.Sandbox.SandboxId);
        Assert.Equal("org", gateway.Sessions.Created!.Value.Caller.OrganizationId);
        Assert.Empty(gateway.Sessions.Created.Value.Caller.Scopes);
    }

    [Fact]
    public async Task ANativeCallWithoutAKey_WithoutTheScope_OrForNobodysSandbox_IsRefusedInGrpcsWay()
    {
        using var channel = ChannelPool.Open(gateway.Native);
        var sandboxes = new SandboxService.SandboxServiceClient(channel);
        var exec = new ExecService.ExecServiceClient(channel);

        Assert.Equal(("INVALID_API_KEY", StatusCode.Unauthenticated), await RefusedAsync(() => sandboxes.CreateAsync(new CreateRequest()).ResponseAsync));
        Assert.Equal(("PERMISSION_DENIED", StatusCode.PermissionDenied), await RefusedAsync(() => sandboxes.CreateAsync(new CreateRequest(), Key(FakeSessions.ReadKey)).ResponseAsync));
        Assert.Equal(("SANDBOX_NOT_FOUND", StatusCode.NotFound), await RefusedAsync(() => exec.RunAsync(new RunRequest { SandboxId = "sbx-x" }, Key(FakeSessions.Key)).ResponseAsync));
        Assert.Equal(("SANDBOX_NOT_FOUND", StatusCode.NotFound), await RefusedAsync(() => exec.RunAsync(new RunRequest(), Key(FakeSessions.Key)).ResponseAsync));
    }

    [Fact]
    public async Task AnInternalService_IsNotReachedFromOutside()
    {
        using var channel = ChannelPool.Open(gateway.Native);
        var access = new Corral.Sessions.V1.AccessService.AccessServiceClient(channel);

        var (_, code) = await RefusedAsync(() => access.AuthenticateAsync(new Corral.Sessions.V1.AuthenticateRequest(), Key(FakeSessions.Key)).ResponseAsync);

        Assert.Equal(StatusCode.Unimplemented, code);
    }

    [Fact]
    public async Task AFaultOfOurs_TellsNothing()
    {
        gateway.Sessions.Fault = () => RpcErrors.Internal("START_FAILED", "runsc: /var/lib/corral/node broke");
        try
        {
            var (status, body, _) = await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}");
            Assert.Equal((HttpStatusCode.InternalServerError, "{\"error\":\"Internal server error\"}"), (status, body!.ToJsonString()));
        }
        finally
        {
            gateway.Sessions.Fault = null;
        }
    }

    [Fact]
    public async Task Health_SaysLiveAlways_AndReadyOnlyWithSessions()
    {
        Assert.Equal("{\"status\":\"live\"}", await gateway.Client.GetStringAsync("/health/live"));
        Assert.Equal("{\"status\":\"ready\"}", await gateway.Client.GetStringAsync("/health/ready"));
        Assert.Equal(HttpStatusCode.OK, (await gateway.Lonely.GetAsync("/health/live")).StatusCode);

        using var notReady = await gateway.Lonely.GetAsync("/health/ready");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, notReady.StatusCode);
        Assert.Equal("{\"status\":\"not ready\",\"missing\":[\"sessions\"]}", await notReady.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task TheOpenApiDocument_NamesEveryAnnotatedRpc_AndRefersOnlyToWhatItHolds()
    {
        var text = await gateway.Client.GetStringAsync("/openapi.json");
        var document = JsonNode.Parse(text)!;

        foreach (var route in new RouteTable().All.Where(r => !r.IsAlias))
        {
            var operation = document["paths"]![route.Path]?[route.Verb.ToLowerInvariant()];
            Assert.True(operation is not null, $"{route.Verb} {route.Path}");
            Assert.Contains($"{route.Descriptor.Service.Name}_{route.Descriptor.Name}", operation["x-rpcs"]!.AsArray().Select(n => (string)n!));
        }

        var schemas = document["components"]!["schemas"]!.AsObject();
        var references = System.Text.RegularExpressions.Regex.Matches(text, "#/components/schemas/([^\"]+)").Select(m => m.Groups[1].Value).Distinct();
        Assert.All(references, name => Assert.True(schemas.ContainsKey(name), name));
        Assert.Contains("id", document["paths"]!["/v1/sandboxes"]!["get"]!["parameters"]!.AsArray().Select(p => (string)p!["name"]!));
    }

    [Theory]
    [InlineData("abc-DEF_1.2", true)]
    [InlineData("a b", false)]
    [InlineData("a;b", false)]
    [InlineData("a,b", false)]
    [InlineData("a\tb", false)]
    public async Task ARequestId_IsKeptWhenItIsAPlainToken_AndReplacedOtherwise(string given, bool kept)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/health/live");
        request.Headers.TryAddWithoutValidation("X-Request-Id", given);

        using var response = await gateway.Client.SendAsync(request);
        var id = Assert.Single(response.Headers.GetValues("X-Request-Id"));

        Assert.Equal(kept, id == given);
        Assert.True(kept || Ids.IsValid(id, "req-"), id);
    }

    [Fact]
    public async Task ARequestIdOf129Characters_IsReplaced()
    {
        var (_, _, headers) = await SendAsync(HttpMethod.Get, "/v1/nothing", requestId: new string('x', 129));
        var (_, _, fits) = await SendAsync(HttpMethod.Get, "/v1/nothing", requestId: new string('x', 128));

        Assert.True(Ids.IsValid(headers.GetValues("X-Request-Id").Single(), "req-"));
        Assert.Equal(new string('x', 128), fits.GetValues("X-Request-Id").Single());
    }

    [Fact]
    public async Task TheRequestId_ReachesTheServiceThatAnswers()
    {
        await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}", requestId: "find-me");

        Assert.Equal("find-me", gateway.Sessions.Created!.Value.Caller.RequestId);
    }

    [Theory]
    [InlineData("OPTIONS * HTTP/1.1")]
    [InlineData("GET /v1/sandboxes?%00=%ff HTTP/1.1")]
    [InlineData("GET /v1/sandboxes?id=%ED%A0%80 HTTP/1.1")]
    [InlineData("GET /v1/sandboxes?id HTTP/1.1")]
    [InlineData("GET /v1/sandboxes?=&&== HTTP/1.1")]
    [InlineData("GET /v1//sandboxes HTTP/1.1")]
    [InlineData("GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1")]
    [InlineData("GET /v1/sandbox/%00 HTTP/1.1")]
    [InlineData("DELETE /v1/sandboxes HTTP/1.1")]
    [InlineData("BREW /v1/sandboxes HTTP/1.1")]
    [InlineData("HEAD /v1/sandboxes HTTP/1.1")]
    [InlineData("CONNECT example.com:443 HTTP/1.1")]
    [InlineData("GET http://example.com/v1/sandboxes HTTP/1.1")]
    [InlineData("POST /v1/sandboxes HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked")]
    [InlineData("POST /v1/sandboxes HTTP/1.1\r\nContent-Length: -1")]
    [InlineData("POST /v1/sandboxes HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz")]
    public async Task AHostileRequestLine_IsNoFaultOfOurs(string head)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(gateway.Client.BaseAddress!.Host, gateway.Client.BaseAddress.Port);
        await socket.SendAsync(Encoding.Latin1.GetBytes($"{head}\r\nHost: x\r\nAuthorization: {FakeSessions.Key}\r\nConnection: close\r\n\r\n0\r\n\r\n"));
        var answer = new byte[16 * 1024];
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var length = await socket.ReceiveAsync(answer, patience.Token);
        var status = Encoding.ASCII.GetString(answer, 0, length).Split(' ')[1];

        Assert.Matches("^[2-4]..$|^501$", status);
    }

    private static Metadata Key(string key) => new() { { "authorization", "Bearer " + key } };

    private static async Task<(string Reason, StatusCode Code)> RefusedAsync<T>(Func<Task<T>> call)
    {
        var error = RpcErrors.Read(await Assert.ThrowsAsync<RpcException>(call));
        return (error.Reason, error.Code);
    }

    private async Task<(HttpStatusCode Status, JsonNode? Body, HeaderCarrier Headers)> SendAsync(
        HttpMethod method, string path, string? body = null, string key = FakeSessions.Key, string? authorization = "", string? requestId = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
        {
            request.Content = new StringContent(body, Encoding.UTF8, "text/plain");
        }

        if ((authorization == "" ? "Bearer " + key : authorization) is { } given)
        {
            request.Headers.TryAddWithoutValidation("Authorization", given);
        }

        if (requestId is not null)
        {
            request.Headers.Add("X-Request-Id", requestId);
        }

        var response = await gateway.Client.SendAsync(request);
        return (response.StatusCode, JsonNode.Parse(await response.Content.ReadAsStringAsync()), new HeaderCarrier(response));
    }

    private sealed record HeaderCarrier(HttpResponseMessage Response)
    {
        public IEnumerable<string> GetValues(string name) =>
            Response.Headers.TryGetValues(name, out var values) ? values : Response.Content.Headers.GetValues(name);
    }
}
