using System.Buffers.Binary;
using System.IO.Pipelines;
using Corral.Api.V1;
using Corral.Gateway.Native;
using Google.Protobuf;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>Whose sandbox a native call is for, read from its first message and nothing more.</summary>
public sealed class FirstFrameTests
{
    private const string Id = "sbx-abcdefghijklmnopqrstuvwxyz";

    [Fact]
    public async Task TheSandbox_IsReadFromField1() => Assert.Equal(Id, await ReadAsync(Frame(new RunRequest { SandboxId = Id, Command = "true" })));

    [Fact]
    public async Task AFrameInPiecesOfOneByte_IsReadAllTheSame() =>
        Assert.Equal(Id, await ReadAsync(Frame(new RunRequest { SandboxId = Id, Command = "true" }), piece: 1));

    [Fact]
    public async Task WhatWasRead_IsStillThereForTheOneWhoAnswers()
    {
        var frame = Frame(new RunRequest { SandboxId = Id, Command = "true" });
        var body = PipeReader.Create(new MemoryStream(frame));

        await FirstFrame.SandboxIdAsync(body, CancellationToken.None);

        using var rest = new MemoryStream();
        await body.CopyToAsync(rest);
        Assert.Equal(frame, rest.ToArray());
    }

    [Fact]
    public async Task AStreamThatGoesOn_IsNotWaitedFor()
    {
        var pipe = new Pipe();
        await pipe.Writer.WriteAsync(Frame(new StartRequest { SandboxId = Id }));

        Assert.Equal(Id, await FirstFrame.SandboxIdAsync(pipe.Reader, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(60)));
    }

    [Fact]
    public async Task AMessageLargerThanWhatIsPeekedAt_IsReadFromItsBeginning()
    {
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        var frame = Frame(new UploadRequest { SandboxId = Id, Data = ByteString.CopyFrom(new byte[1_000_000]) });
        await pipe.Writer.WriteAsync(frame.AsMemory(0, 100_000));

        Assert.Equal(Id, await FirstFrame.SandboxIdAsync(pipe.Reader, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(60)));
    }

    [Fact]
    public async Task AMessageThatBeginsOtherwise_NamesNoSandbox()
    {
        Assert.Equal("", await ReadAsync(Frame(new RunRequest { Command = "true" })));
        Assert.Equal("", await ReadAsync(Frame(new RunRequest())));
    }

    [Fact]
    public async Task ACompressedMessage_CannotBeRouted()
    {
        var frame = Frame(new RunRequest { SandboxId = Id });
        frame[0] = 1;

        Assert.Null(await ReadAsync(frame));
    }

    [Theory]
    [InlineData("")]
    [InlineData("00")]
    [InlineData("0000000009")]
    [InlineData("00ffffffff")]
    [InlineData("00000000050a7f616263")]
    [InlineData("00000000020aff")]
    [InlineData("000000000affffffffffffffffffff")]
    public async Task Garbage_IsNoMessage(string hex) => Assert.Null(await ReadAsync(Convert.FromHexString(hex)));

    [Fact]
    public async Task WhateverIsSent_IsReadOrRefused()
    {
        var random = new Random(20260101);
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = new byte[random.Next(40)];
            random.NextBytes(bytes);
            if (bytes.Length > 4 && random.Next(3) > 0)
            {
                bytes[0] = 0;
                BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(1), (uint)(bytes.Length - 5));
                if (bytes.Length > 5)
                {
                    bytes[5] = 0x0a;
                }
            }

            await ReadAsync(bytes);
        }
    }

    [Fact]
    public async Task ACallThatIsGivenUp_IsNotWaitedFor()
    {
        var pipe = new Pipe();
        using var gone = new CancellationTokenSource();
        var reading = FirstFrame.SandboxIdAsync(pipe.Reader, gone.Token);

        await gone.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
    }

    private static byte[] Frame(IMessage message)
    {
        var frame = new byte[5 + message.CalculateSize()];
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(1), (uint)(frame.Length - 5));
        message.ToByteArray().CopyTo(frame, 5);
        return frame;
    }

    private static async Task<string?> ReadAsync(byte[] bytes, int? piece = null)
    {
        var pipe = new Pipe();
        var writing = Task.Run(async () =>
        {
            foreach (var part in bytes.Chunk(piece ?? Math.Max(1, bytes.Length)))
            {
                await pipe.Writer.WriteAsync(part);
            }

            await pipe.Writer.CompleteAsync();
        });
        var id = await FirstFrame.SandboxIdAsync(pipe.Reader, CancellationToken.None);
        await writing;
        return id;
    }
}
