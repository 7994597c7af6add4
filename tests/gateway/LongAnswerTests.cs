using Corral.Api.V1;
using Corral.Gateway.Routing;
using Corral.Gateway.Terminals;
using Corral.Gateway.Transcoding;
using Corral.Leap.V1;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Xunit;
using Route = Corral.Gateway.Routing.Route;

namespace Corral.Gateway.Tests;

/// <summary>Answers with values that are too long to be escaped in one piece.</summary>
public sealed class LongAnswerTests
{
    private const int Long = (3 * LongValue.Least) + 1;
    private static readonly RouteTable Routes = new();

    public static TheoryData<string, string> Answers => new()
    {
        { "Read", "\u0001" }, { "Read", "a" }, { "Read", "\"\\\n" }, { "Read", "h\u00e9" }, { "Read", "\u20ac" }, { "Read", "\U0001f600\u0001" },
        { "Run", "\u20ac\"" }, { "Execute", "\u20ac\"" }, { "Execute", "a\U0001f600" },
    };

    [Theory]
    [MemberData(nameof(Answers))]
    public async Task ALongValue_IsWrittenAsAShortOneIs(string call, string unit)
    {
        var text = string.Concat(Enumerable.Repeat(unit, Long / unit.Length));
        var bytes = ByteString.CopyFromUtf8(text);

        await SameAsync(call, call switch
        {
            "Read" => new ReadResponse { Path = "p", Content = bytes, Encoding = "utf-8", Size = bytes.Length },
            "Run" => new RunResponse { Stdout = bytes, Stderr = bytes, ExitCode = 3 },
            _ => new ExecuteResponse { Stdout = text, Stderr = "short", Result = text },
        });
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task LongBytesThatAreNotText_AreBase64OrReplaced_AsShortOnesAre(bool base64)
    {
        var bytes = new byte[Long];
        new Random(1).NextBytes(bytes);

        await SameAsync("Read", new ReadResponse { Path = "p", Content = ByteString.CopyFrom(bytes), Encoding = "x", Size = Long, Base64 = base64 });
    }

    [Fact]
    public async Task ALongFile_IsNeverEscapedAsAWhole()
    {
        const int size = 8 << 20;
        var content = ByteString.CopyFrom(Enumerable.Repeat((byte)1, size).ToArray());
        await WriteAsync("Read", new ReadResponse { Content = content }, Stream.Null);

        // Nothing is waited for: all of it is done by this thread.
        var before = GC.GetAllocatedBytesForCurrentThread();
        await WriteAsync("Read", new ReadResponse { Content = content }, Stream.Null);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, size / 4);
    }

    [Fact]
    public async Task AnAnswerThatCannotBeWritten_IsNotBegun()
    {
        using var body = new MemoryStream();

        await Assert.ThrowsAsync<InvalidOperationException>(() => WriteAsync("Tree", Nested(3000), body));
        Assert.Equal(0, body.Length);
    }

    [Fact]
    public void AnAnswerThatIsDeeperThanTheStack_IsAnError_AndNotTheEndOfTheGateway()
    {
        var tree = Nested(2048);
        Task? writing = null;
        var small = new Thread(() => writing = WriteAsync("Tree", tree, Stream.Null), maxStackSize: 512 * 1024);
        small.Start();
        small.Join();

        Assert.IsType<InsufficientExecutionStackException>(writing!.Exception!.InnerException);
    }

    private static TreeResponse Nested(int depth)
    {
        var tree = new TreeEntry();
        for (var i = 1; i < depth; i++)
        {
            tree = new TreeEntry { Name = "d", Children = { tree } };
        }

        return new TreeResponse { Items = { tree } };
    }

    private static async Task SameAsync(string call, IMessage message)
    {
        using var body = new MemoryStream();
        var context = await WriteAsync(call, message, body);

        Assert.Equal("application/json", context.Response.ContentType);
        Assert.True(AnswerWriter.ToJson(context, RouteOf(call), message).AsSpan().SequenceEqual(body.ToArray()));
    }

    private static async Task<HttpContext> WriteAsync(string call, IMessage message, Stream body)
    {
        var context = new DefaultHttpContext { RequestServices = new ServiceCollection().AddOptions<TerminalOptions>().Services.BuildServiceProvider() };
        context.Response.Body = body;
        await AnswerWriter.WriteAsync(context, RouteOf(call), message);
        return context;
    }

    private static Route RouteOf(string call) => Routes.All.First(route => route.Descriptor.Name == call);
}
