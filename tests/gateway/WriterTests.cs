using Corral.Api.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>Messages in the boxes dialect.</summary>
public sealed class WriterTests
{
    [Fact]
    public void AFreshSandbox_HasEveryFieldOfTheDocuments_AndNullWhereThereIsNothing() => Assert.Equal(
        """
        {"id":"sbx-a","status":"queued","runtime":"bun","size":"standard","region":null,"terminalUrl":null,"previewBaseUrl":null,"capabilities":null,"pairedBrowser":null,"opencode":null,"browserPreview":null,"humanHandoff":null,"artifacts":null,"duration":null,"createdAt":1772078705353,"startedAt":null,"endedAt":null,"expiresAt":null,"maxDurationMs":300000,"ephemeral":true,"env":["A"],"failureReason":null,"endReason":null,"networkPolicy":null,"isolation":null,"queue":null,"endedBy":null}
        """,
        Json.Write(new Sandbox
        {
            SandboxId = "sbx-a",
            State = SandboxState.Queued,
            Runtime = "bun",
            Size = "standard",
            MaxDurationMs = 300_000,
            Ephemeral = true,
            EnvNames = { "A" },
            CreatedAt = Timestamp.FromDateTimeOffset(DateTimeOffset.FromUnixTimeMilliseconds(1_772_078_705_353)),
        }));

    [Fact]
    public void AWebSocketsPath_IsWrittenAsItsAddress_WhereverItStands()
    {
        var sandbox = new Sandbox { TerminalUrl = "/v1/socket?id=a" };
        const string address = "\"terminalUrl\":\"wss://corral.example/v1/socket?id=a\"";

        Assert.Contains(address, Json.Write(sandbox), StringComparison.Ordinal);
        Assert.Contains(address, Json.Write(new ListResponse { Items = { sandbox } }), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(SandboxState.Assigning, "assigning")]
    [InlineData(SandboxState.Ready, "ready")]
    [InlineData(SandboxState.Active, "active")]
    [InlineData(SandboxState.Pausing, "pausing")]
    [InlineData(SandboxState.Paused, "paused")]
    [InlineData(SandboxState.Ending, "ending")]
    [InlineData(SandboxState.Ended, "ended")]
    [InlineData(SandboxState.Failed, "failed")]
    public void AState_IsItsNameInLowerCase(SandboxState state, string text) =>
        Assert.Contains($"\"status\":\"{text}\"", Json.Write(new Sandbox { State = state }), StringComparison.Ordinal);

    [Fact]
    public void ANumber_StaysANumber_HoweverLarge() =>
        Assert.Contains("\"maxDurationMs\":9223372036854775807", Json.Write(new Sandbox { MaxDurationMs = long.MaxValue }), StringComparison.Ordinal);

    [Fact]
    public void Content_IsTextOrBase64AsItsSiblingSays()
    {
        var text = new ReadResponse { Path = "p", Content = ByteString.CopyFromUtf8("hé"), Encoding = "utf-8", Size = 3 };
        var binary = new ReadResponse { Path = "p", Content = ByteString.CopyFrom(0xff, 0), Encoding = "base64", Size = 2, Base64 = true };

        Assert.Equal("{\"path\":\"p\",\"content\":\"h\\u00E9\",\"encoding\":\"utf-8\",\"size\":3}", Json.Write(text));
        Assert.Equal("{\"path\":\"p\",\"content\":\"/wA=\",\"encoding\":\"base64\",\"size\":2}", Json.Write(binary));
    }

    [Fact]
    public void OutputThatIsNotUtf8_IsReplaced_AndNeverBreaksTheJson()
    {
        var json = Json.Write(new RunResponse { Stdout = ByteString.CopyFrom(0xff, (byte)'a'), ExitCode = -1 });

        Assert.Equal("\uFFFDa", (string)System.Text.Json.Nodes.JsonNode.Parse(json)!["stdout"]!);
    }

    [Fact]
    public void ListsMapsAndInnerMessages_AreWrittenInFull()
    {
        var runtime = new GetRuntimeResponse
        {
            SandboxId = "sbx-a",
            State = SandboxState.Active,
            Ports = { 80, 8080 },
            Resources = new Resources { Cpu = new Cpu { UsedMs = 5, Limit = 1.5 }, Disk = new Disk() },
        };

        Assert.Equal(
            """
            {"id":"sbx-a","status":"active","opencode":null,"lastTaskReport":null,"resources":{"cpu":{"usedMs":5,"limit":1.5},"memory":null,"disk":{"usedBytes":null,"limitBytes":null},"processes":null},"ports":[80,8080]}
            """,
            Json.Write(runtime));
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void ANumberThatJsonDoesNotKnow_IsNull(double value) =>
        Assert.Equal("{\"usedMs\":0,\"limit\":null}", Json.Write(new Cpu { Limit = value }));

    [Fact]
    public void AnEnumNumberOfALaterVersion_IsNoError() =>
        Assert.Contains("\"status\":\"unspecified\"", Json.Write(new Sandbox { State = (SandboxState)99 }), StringComparison.Ordinal);
}
