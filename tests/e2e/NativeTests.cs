using System.Net;
using Corral.Api.V1;
using Google.Protobuf;
using Grpc.Core;
using Xunit;

namespace Corral.EndToEnd.Tests;

/// <summary>The native gRPC face.</summary>
public sealed class NativeTests(SharedInstance shared)
{
    private SandboxService.SandboxServiceClient Sandboxes => new(shared.Instance.Channel);

    private ExecService.ExecServiceClient Execs => new(shared.Instance.Channel);

    private FileService.FileServiceClient Files => new(shared.Instance.Channel);

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task Launch_AnswersWhenTheSandboxIsReady_AndItRuns(string isolation)
    {
        var launched = await Sandboxes.LaunchAsync(
            new LaunchRequest { Create = new CreateRequest { Runtime = "base", Isolation = isolation } },
            shared.Instance.Credentials,
            cancellationToken: TestContext.Current.CancellationToken);
        var id = launched.Sandbox.SandboxId;

        var ran = await Execs.RunAsync(new RunRequest { SandboxId = id, Command = "echo native" }, shared.Instance.Credentials, cancellationToken: TestContext.Current.CancellationToken);
        await Sandboxes.EndAsync(new EndRequest { SandboxId = id }, shared.Instance.Credentials, cancellationToken: TestContext.Current.CancellationToken);

        Assert.Equal(SandboxState.Ready, launched.Sandbox.State);
        Assert.Equal(isolation, launched.Sandbox.Isolation);
        Assert.Equal("native\n", ran.Stdout.ToStringUtf8());
    }

    [Fact]
    public async Task WhatIsAskedOfASandboxRightAfterItsEnd_ComesTooLate_HoweverItIsAsked()
    {
        // The command before has the gateway know which node to ask, and that node does not have the sandbox any more.
        var token = TestContext.Current.CancellationToken;
        var id = await shared.Boxes.ReadyAsync(new() { ["runtime"] = "base" });
        await shared.Boxes.ExecAsync(id, "true");
        await shared.Boxes.EndAsync(id);
        await shared.Boxes.UntilAsync(id, "ended");

        var streamed = await shared.Boxes.PostAsync("/v1/sandboxes/exec/stream", new() { ["id"] = id, ["command"] = "true" });
        var failure = await Assert.ThrowsAsync<RpcException>(async () =>
            await Execs.RunAsync(new RunRequest { SandboxId = id, Command = "true" }, shared.Instance.Credentials, cancellationToken: token));
        var answer = await shared.Boxes.PostAsync("/v1/sandboxes/exec", new() { ["id"] = id, ["command"] = "true" });

        Assert.Equal((HttpStatusCode.Conflict, "Sandbox is not ready"), (streamed.Status, streamed.Error));
        Assert.Equal((StatusCode.FailedPrecondition, "Sandbox is not ready"), (failure.StatusCode, failure.Status.Detail));
        Assert.Equal((HttpStatusCode.Conflict, "Sandbox is not ready"), (answer.Status, answer.Error));
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task Start_CarriesInputSignalsAndATerminal(string isolation)
    {
        var id = await shared.SandboxAsync(isolation);
        using var call = Execs.Start(shared.Instance.Credentials, cancellationToken: TestContext.Current.CancellationToken);
        await call.RequestStream.WriteAsync(new StartRequest
        {
            SandboxId = id,
            Start = new StartCommand { Command = "stty size; read line; trap 'echo caught; exit 9' INT; echo got:$line; while :; do read more; done", Terminal = new TerminalSize { Columns = 91, Rows = 27 } },
        }, TestContext.Current.CancellationToken);
        var seen = "";
        Exit? exit = null;
        var (typed, interrupted) = (false, false);
        await foreach (var response in call.ResponseStream.ReadAllAsync(TestContext.Current.CancellationToken))
        {
            seen += response.Stdout?.Data.ToStringUtf8();
            exit = response.Exit ?? exit;
            if (!typed && seen.Contains("27 91", StringComparison.Ordinal))
            {
                typed = true;
                await call.RequestStream.WriteAsync(new StartRequest { Stdin = ByteString.CopyFromUtf8("abc\r") }, TestContext.Current.CancellationToken);
            }
            else if (typed && !interrupted && seen.Contains("got:abc", StringComparison.Ordinal))
            {
                interrupted = true;
                await call.RequestStream.WriteAsync(new StartRequest { Stdin = ByteString.CopyFrom(3) }, TestContext.Current.CancellationToken);
            }
        }

        Assert.Contains("caught", seen, StringComparison.Ordinal);
        Assert.Equal(9, exit?.ExitCode);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task Files_AreStreamedUpAndDown(string isolation)
    {
        var id = await shared.SandboxAsync(isolation);
        var chunk = new byte[256 * 1024];
        new Random(7).NextBytes(chunk);

        using var upload = Files.Upload(shared.Instance.Credentials, cancellationToken: TestContext.Current.CancellationToken);
        await upload.RequestStream.WriteAsync(new UploadRequest { SandboxId = id, Path = "/tmp/big", Mode = "0640" }, TestContext.Current.CancellationToken);
        for (var i = 0; i < 64; i++)
        {
            await upload.RequestStream.WriteAsync(new UploadRequest { Data = ByteString.CopyFrom(chunk) }, TestContext.Current.CancellationToken);
        }

        await upload.RequestStream.CompleteAsync();
        var written = await upload.ResponseAsync;
        using var download = Files.Download(new DownloadRequest { SandboxId = id, Path = "/tmp/big" }, shared.Instance.Credentials, cancellationToken: TestContext.Current.CancellationToken);
        using var read = new MemoryStream();
        await foreach (var piece in download.ResponseStream.ReadAllAsync(TestContext.Current.CancellationToken))
        {
            piece.Data.WriteTo(read);
        }

        Assert.Equal(64 * chunk.Length, written.Size);
        Assert.Equal(64 * chunk.Length, read.Length);
        Assert.True(read.ToArray().AsSpan(0, chunk.Length).SequenceEqual(chunk));
    }

    [Fact]
    public async Task ErrorsAre_CanonicalCodes()
    {
        var missing = await Assert.ThrowsAsync<RpcException>(async () =>
            await Sandboxes.GetAsync(new GetRequest { SandboxId = "sbx-abcdefghijklmnopqrstuvwxyz" }, shared.Instance.Credentials, cancellationToken: TestContext.Current.CancellationToken));
        var bad = await Assert.ThrowsAsync<RpcException>(async () =>
            await Sandboxes.CreateAsync(new CreateRequest { Runtime = "cobol" }, shared.Instance.Credentials, cancellationToken: TestContext.Current.CancellationToken));
        var stranger = await Assert.ThrowsAsync<RpcException>(async () =>
            await Sandboxes.ListAsync(new ListRequest(), cancellationToken: TestContext.Current.CancellationToken));

        Assert.Equal(StatusCode.NotFound, missing.StatusCode);
        Assert.Equal(StatusCode.InvalidArgument, bad.StatusCode);
        Assert.Equal(StatusCode.Unauthenticated, stranger.StatusCode);
    }

    [Fact]
    public async Task ARepeatedRequestId_AnswersTheFirstSandbox()
    {
        var request = new CreateRequest { RequestId = Guid.NewGuid().ToString("N"), Runtime = "base" };

        var first = await Sandboxes.CreateAsync(request, shared.Instance.Credentials, cancellationToken: TestContext.Current.CancellationToken);
        var second = await Sandboxes.CreateAsync(request, shared.Instance.Credentials, cancellationToken: TestContext.Current.CancellationToken);
        await shared.Boxes.EndAsync(first.Sandbox.SandboxId);

        Assert.Equal(first.Sandbox.SandboxId, second.Sandbox.SandboxId);
    }
}
