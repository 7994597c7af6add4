using Corral.Contract.Tests.Echoes;
using Corral.Hosting;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Health.V1;
using Grpc.Reflection.V1;
using Xunit;

namespace Corral.Contract.Tests;

/// <summary>gRPC as the services use it: official assemblies on the stand-ins, over a Unix socket.</summary>
public sealed class GrpcTests(HostedEcho echo) : IClassFixture<HostedEcho>
{
    [Fact]
    public async Task AUnaryCall_IsAnswered() =>
        Assert.Equal("héllo", (await echo.Client.UnaryAsync(new Word { Text = "héllo" })).Text);

    [Fact]
    public void ABlockingCall_IsAnswered() =>
        Assert.Equal("now", echo.Client.Unary(new Word { Text = "now" }).Text);

    [Fact]
    public async Task AStreamOfRequests_IsReadInOrder()
    {
        using var call = echo.Client.Join();
        foreach (var text in new[] { "a", "b", "c" })
        {
            await call.RequestStream.WriteAsync(new Word { Text = text });
        }

        await call.RequestStream.CompleteAsync();

        Assert.Equal("abc", (await call).Text);
    }

    [Fact]
    public async Task AStreamOfResponses_ArrivesInOrder()
    {
        using var call = echo.Client.Split(new Word { Text = "xyz" });

        var seen = new List<string>();
        await foreach (var word in call.ResponseStream.ReadAllAsync())
        {
            seen.Add(word.Text);
        }

        Assert.Equal(["x", "y", "z"], seen);
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
    }

    [Fact]
    public async Task ATwoWayStream_AnswersWhileItIsOpen()
    {
        using var call = echo.Client.Talk();
        for (var i = 0; i < 100; i++)
        {
            await call.RequestStream.WriteAsync(new Word { Text = i.ToString(System.Globalization.CultureInfo.InvariantCulture) });
            Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
            Assert.Equal(i.ToString(System.Globalization.CultureInfo.InvariantCulture), call.ResponseStream.Current.Text);
        }

        await call.RequestStream.CompleteAsync();
        Assert.False(await call.ResponseStream.MoveNext(CancellationToken.None));
    }

    [Fact]
    public async Task HeadersAndTrailers_TravelBothWays()
    {
        using var call = echo.Client.UnaryAsync(new Word { Text = "headers" }, new Metadata { { "Asked", "this" } });

        Assert.Equal("this", (await call).Text);
        var headers = await call.ResponseHeadersAsync;
        Assert.Equal("pl:a in%", headers.GetValue("plain"));
        Assert.Equal([0, 255, 1], headers.GetValueBytes("bytes-bin")!);
        Assert.Equal("yes", call.GetTrailers().GetValue("after"));
    }

    [Fact]
    public async Task ADeadline_EndsTheCall()
    {
        var error = await Assert.ThrowsAsync<RpcException>(async () =>
            await echo.Client.UnaryAsync(new Word { Text = "wait" }, deadline: DateTime.UtcNow.AddMilliseconds(200)));

        Assert.Equal(StatusCode.DeadlineExceeded, error.StatusCode);
    }

    [Fact]
    public async Task Cancelling_EndsTheCall()
    {
        using var cancel = new CancellationTokenSource();
        var call = echo.Client.UnaryAsync(new Word { Text = "wait" }, cancellationToken: cancel.Token);
        await cancel.CancelAsync();

        var error = await Assert.ThrowsAsync<RpcException>(async () => await call);
        Assert.Equal(StatusCode.Cancelled, error.StatusCode);
    }

    [Fact]
    public async Task Interceptors_StandBeforeTheCall()
    {
        var client = new Echo.EchoClient(echo.Channel.Intercept(new Asking()));

        Assert.Equal("intercepted", (await client.UnaryAsync(new Word { Text = "headers" })).Text);
    }

    [Fact]
    public async Task AnError_CarriesItsReasonFactsAndRetryDelay()
    {
        var error = RpcErrors.Read(await Assert.ThrowsAsync<RpcException>(async () => await echo.Client.UnaryAsync(new Word { Text = "limit" })));

        Assert.Equal((StatusCode.ResourceExhausted, "LIMIT", "No more of it."), (error.Code, error.Reason, error.Message));
        Assert.Equal("3", error.Metadata["limit"]);
        Assert.Equal(TimeSpan.FromSeconds(7), error.RetryAfter);
    }

    [Fact]
    public async Task AnErrorOfAnyLength_IsCut_AndBreaksNobodysConnection()
    {
        using var others = echo.Client.UnaryAsync(new Word { Text = "wait" }, cancellationToken: TestContext.Current.CancellationToken);

        var failure = await Assert.ThrowsAsync<RpcException>(async () => await echo.Client.UnaryAsync(new Word { Text = "long" }));

        var error = RpcErrors.Read(failure);
        Assert.Equal((StatusCode.InvalidArgument, "LONG"), (error.Code, error.Reason));
        Assert.All(
            [error.Message, error.Metadata["text"], .. error.Violations.Select(v => v.Field), .. error.Violations.Select(v => v.Description)],
            text => Assert.Matches("^(a\u00fc\ud83d\ude00)+(a|a\u00fc)?\u2026$", text));
        Assert.NotEmpty(error.Violations);
        Assert.False(others.ResponseAsync.IsCompleted);
    }

    [Fact]
    public async Task AWrongField_IsNamed()
    {
        var error = RpcErrors.Read(await Assert.ThrowsAsync<RpcException>(async () => await echo.Client.UnaryAsync(new Word { Text = "field" })));

        Assert.Equal([new FieldViolation("max_duration_ms", "must be above 0")], error.Violations);
    }

    [Theory]
    [InlineData("gone", StatusCode.Unavailable, "STORE")]
    [InlineData("bug", StatusCode.Internal, "INTERNAL")]
    public async Task AnException_TellsNothingInternal(string word, StatusCode code, string reason)
    {
        var exception = await Assert.ThrowsAsync<RpcException>(async () => await echo.Client.UnaryAsync(new Word { Text = word }));
        var error = RpcErrors.Read(exception);

        Assert.Equal((code, reason), (error.Code, error.Reason));
        Assert.DoesNotContain("secret", exception.ToString() + string.Concat(exception.Trailers.Select(t => t.IsBinary ? System.Text.Encoding.UTF8.GetString(t.ValueBytes) : t.Value)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheCaller_IsToldToTheCalledService()
    {
        var caller = new CallerIdentity("org-1", "key-1", ["a:read", "b:write"], "req-1");

        Assert.Equal("org-1|key-1|a:read,b:write|req-1", (await echo.Client.UnaryAsync(new Word { Text = "identity" }, caller.ToMetadata())).Text);
    }

    [Fact]
    public async Task ACallWithoutACaller_IsUnauthenticated()
    {
        var error = await Assert.ThrowsAsync<RpcException>(async () => await echo.Client.UnaryAsync(new Word { Text = "identity" }));

        Assert.Equal(StatusCode.Unauthenticated, error.StatusCode);
    }

    [Fact]
    public async Task Health_FollowsWhatTheServiceNeeds()
    {
        var health = new Health.HealthClient(echo.Channel);

        var before = await health.CheckAsync(new HealthCheckRequest());
        echo.Knob.Ready = false;
        var during = await health.CheckAsync(new HealthCheckRequest());
        echo.Knob.Ready = true;
        var after = await health.CheckAsync(new HealthCheckRequest());

        Assert.Equal(
            [HealthCheckResponse.Types.ServingStatus.Serving, HealthCheckResponse.Types.ServingStatus.NotServing, HealthCheckResponse.Types.ServingStatus.Serving],
            [before.Status, during.Status, after.Status]);
    }

    [Fact]
    public async Task Reflection_TellsTheServicesAndTheirFiles()
    {
        using var call = new ServerReflection.ServerReflectionClient(echo.Channel).ServerReflectionInfo();
        await call.RequestStream.WriteAsync(new ServerReflectionRequest { ListServices = "" });
        await call.ResponseStream.MoveNext(CancellationToken.None);
        var services = call.ResponseStream.Current.ListServicesResponse.Service.Select(s => s.Name).ToList();
        await call.RequestStream.WriteAsync(new ServerReflectionRequest { FileContainingSymbol = "corral.tests.Echo" });
        await call.ResponseStream.MoveNext(CancellationToken.None);
        var files = call.ResponseStream.Current.FileDescriptorResponse.FileDescriptorProto;
        await call.RequestStream.CompleteAsync();

        Assert.Equal(["grpc.health.v1.Health", "corral.tests.Echo"], services);
        Assert.NotEmpty(files);
    }

    private sealed class Asking : Interceptor
    {
        public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
            TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncUnaryCallContinuation<TRequest, TResponse> continuation) =>
            continuation(request, new ClientInterceptorContext<TRequest, TResponse>(
                context.Method, context.Host, context.Options.WithHeaders(new Metadata { { "asked", "intercepted" } })));
    }
}
