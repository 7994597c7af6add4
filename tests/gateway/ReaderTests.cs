using System.Text;
using Corral.Api.V1;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>JSON bodies, strictly read: what does not fit is refused by its name.</summary>
public sealed class ReaderTests
{
    [Fact]
    public void NoBodyAtAll_AndAnEmptyObject_TakeEveryDefault()
    {
        Assert.Equal(new CreateRequest(), Json.Read<CreateRequest>(""));
        Assert.Equal(new CreateRequest(), Json.Read<CreateRequest>(" {} "));
    }

    [Fact]
    public void EveryFieldOfACreate_IsRead()
    {
        var request = Json.Read<CreateRequest>(
            """
            {"runtime":"python","size":"standard","env":{"A":"1","ü":"€"},"ephemeral":false,"maxDurationMs":60000,"region":"iad","isolation":"runc",
             "capabilities":{"opencode":{"enabled":true,"defaultAgent":"build","allowPromptApi":true},"browser":{"mode":"none","viewport":{"width":1440,"height":900}},
             "documents":{"libreofficeHeadless":true},"storage":{"workspace":"checkpointed","artifactPrefix":"p/"}}}
            """);

        Assert.Equal(
            new CreateRequest
            {
                Runtime = "python",
                Size = "standard",
                Env = { ["A"] = "1", ["ü"] = "€" },
                Ephemeral = false,
                MaxDurationMs = 60_000,
                Region = "iad",
                Isolation = "runc",
                Capabilities = new Capabilities
                {
                    Opencode = new AgentCapability { Enabled = true, DefaultAgent = "build", AllowPromptApi = true },
                    Browser = new BrowserCapability { Mode = "none", Viewport = new Viewport { Width = 1440, Height = 900 } },
                    Documents = new DocumentsCapability { LibreofficeHeadless = true },
                    Storage = new StorageCapability { Workspace = "checkpointed", ArtifactPrefix = "p/" },
                },
            },
            request);
    }

    [Theory]
    [InlineData("{\"colour\":1}", "Unknown field: colour")]
    [InlineData("{\"Runtime\":\"bun\"}", "Unknown field: Runtime")]
    [InlineData("{\"max_duration_ms\":1}", "Unknown field: max_duration_ms")]
    [InlineData("{\"requestId\":\"x\"}", "Unknown field: requestId")]
    [InlineData("{\"\":1}", "Unknown field: ")]
    [InlineData("{\"capabilities\":{\"browser\":{\"wings\":2}}}", "Unknown field: capabilities.browser.wings")]
    public void AnUnknownField_IsRefusedByItsName(string json, string message) => Assert.Equal(message, Json.Refused<CreateRequest>(json));

    [Theory]
    [InlineData("runtime", "1", "a string")]
    [InlineData("runtime", "[]", "a string")]
    [InlineData("ephemeral", "\"true\"", "true or false")]
    [InlineData("ephemeral", "0", "true or false")]
    [InlineData("env", "[]", "an object")]
    [InlineData("env", "\"A=1\"", "an object")]
    [InlineData("capabilities", "true", "an object")]
    [InlineData("maxDurationMs", "\"soon\"", "a whole number")]
    [InlineData("maxDurationMs", "\"60000\"", "a whole number")]
    [InlineData("maxDurationMs", "true", "a whole number")]
    public void AWrongType_NamesTheField(string field, string value, string wanted) =>
        Assert.Equal($"Invalid {field}: must be {wanted}", Json.Refused<CreateRequest>($"{{\"{field}\":{value}}}"));

    [Theory]
    [InlineData("{\"env\":{\"A\":1}}", "Invalid env.A: must be a string")]
    [InlineData("{\"env\":{\"A\":null}}", "Invalid env.A: must be a string")]
    [InlineData("{\"capabilities\":{\"opencode\":[]}}", "Invalid capabilities.opencode: must be an object")]
    [InlineData("{\"capabilities\":{\"browser\":{\"viewport\":{\"width\":1.5}}}}", "Invalid capabilities.browser.viewport.width: must be a whole number")]
    [InlineData("{\"capabilities\":{\"browser\":{\"viewport\":{\"width\":2147483648}}}}", "Invalid capabilities.browser.viewport.width: must be a whole number")]
    public void AWrongTypeFurtherIn_NamesThePath(string json, string message) => Assert.Equal(message, Json.Refused<CreateRequest>(json));

    [Fact]
    public void AnItemOfTheWrongType_IsNamedByItsPlace() =>
        Assert.Equal("Invalid args[1]: must be a string", Json.Refused<RunRequest>("{\"id\":\"x\",\"args\":[\"a\",null]}"));

    [Theory]
    [InlineData("0", 0)]
    [InlineData("-0", 0)]
    [InlineData("-5", -5)]
    [InlineData("60000.0", 60_000)]
    [InlineData("6e4", 60_000)]
    [InlineData("6.5e1", 65)]
    [InlineData("600E-1", 60)]
    [InlineData("9223372036854775807", long.MaxValue)]
    [InlineData("-9223372036854775808", long.MinValue)]
    [InlineData("9223372036854775807.0", long.MaxValue)]
    public void AnyWholeNumber_IsMilliseconds(string json, long expected) =>
        Assert.Equal(expected, Json.Read<CreateRequest>($"{{\"maxDurationMs\":{json}}}").MaxDurationMs);

    [Theory]
    [InlineData("0.5")]
    [InlineData("60000.1")]
    [InlineData("1e-1")]
    [InlineData("1e-30")]
    [InlineData("1e-999999999")]
    [InlineData("1.0000000000000000000000000000000000001")]
    [InlineData("9223372036854775808")]
    [InlineData("-9223372036854775809")]
    [InlineData("1e19")]
    [InlineData("1e400")]
    [InlineData("1e999999999999")]
    [InlineData("123456789012345678901234567890123456789012345678901234567890")]
    public void AFraction_OrWhatNoInt64Holds_IsRefused(string json) =>
        Assert.Equal("Invalid maxDurationMs: must be a whole number", Json.Refused<CreateRequest>($"{{\"maxDurationMs\":{json}}}"));

    [Fact]
    public void ANull_IsAnAbsentField()
    {
        var request = Json.Read<CreateRequest>("{\"runtime\":null,\"env\":null,\"capabilities\":null,\"maxDurationMs\":null,\"ephemeral\":null}");

        Assert.Equal(new CreateRequest(), request);
        Assert.False(request.HasEphemeral);
    }

    [Theory]
    [InlineData("{\"runtime\":\"bun\",\"runtime\":\"bun\"}", "runtime is given twice")]
    [InlineData("{\"runtime\":null,\"runtime\":\"bun\"}", "runtime is given twice")]
    [InlineData("{\"env\":{\"A\":\"1\",\"A\":\"2\"}}", "env.A is given twice")]
    [InlineData("{\"runtime\":\"bun\",\"\\u0072untime\":\"base\"}", "runtime is given twice")]
    public void WhatIsGivenTwice_IsRefused(string json, string message) => Assert.Equal(message, Json.Refused<CreateRequest>(json));

    [Fact]
    public void AnInlineMessage_StandsBesideItsSiblings()
    {
        var request = Json.Read<LaunchRequest>("{\"runtime\":\"base\",\"waitMs\":5,\"env\":{\"A\":\"1\"}}");

        Assert.Equal(new LaunchRequest { WaitMs = 5, Create = new CreateRequest { Runtime = "base", Env = { ["A"] = "1" } } }, request);
        Assert.Equal("Unknown field: create", Json.Refused<LaunchRequest>("{\"create\":{}}"));
    }

    [Theory]
    [InlineData("{\"content\":\"h\\u00e9\"}", "hé")]
    [InlineData("{\"content\":\"aMOp\",\"encoding\":\"base64\"}", "hé")]
    [InlineData("{\"encoding\":\"base64\",\"content\":\"aMOp\"}", "hé")]
    [InlineData("{\"content\":\"aMOp\",\"encoding\":\"utf-8\"}", "aMOp")]
    [InlineData("{\"content\":\"\",\"encoding\":\"base64\"}", "")]
    public void Content_IsTextOrBase64AsItsEncodingSays(string json, string text) => Assert.Equal(text, Json.Read<WriteRequest>(json).Content.ToStringUtf8());

    [Fact]
    public void EmptyContent_IsNotAbsentContent()
    {
        Assert.True(Json.Read<WriteRequest>("{\"content\":\"\"}").HasContent);
        Assert.False(Json.Read<WriteRequest>("{\"encoding\":\"base64\"}").HasContent);
    }

    [Theory]
    [InlineData("{\"content\":\"not base64!\",\"encoding\":\"base64\"}", "Invalid content: must be valid base64")]
    [InlineData("{\"content\":\"a\",\"encoding\":\"hex\"}", "Invalid encoding: must be one of: utf-8, base64")]
    public void ContentThatIsNotWhatItsEncodingSays_IsRefused(string json, string message) => Assert.Equal(message, Json.Refused<WriteRequest>(json));

    [Theory]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("7")]
    [InlineData("\"{}\"")]
    public void WhatIsNoObject_IsRefused(string json) => Assert.Equal("The body must be a JSON object", Json.Refused<CreateRequest>(json));

    [Theory]
    [InlineData("{")]
    [InlineData("{\"runtime\":}")]
    [InlineData("{\"runtime\":\"bun\",}")]
    [InlineData("{'runtime':'bun'}")]
    [InlineData("{} {}")]
    [InlineData("{}// comment")]
    [InlineData("\ufeff{}x")]
    [InlineData("{\"maxDurationMs\":01}")]
    [InlineData("{\"maxDurationMs\":NaN}")]
    [InlineData("{\"maxDurationMs\":+1}")]
    [InlineData("{\"runtime\":\"a\nb\"}")]
    [InlineData("{\"runtime\":\"\\ud800\"}")]
    [InlineData("{\"runtime\":\"\\udc00\\ud800\"}")]
    [InlineData("{\"\\ud800\":1}")]
    [InlineData("{\"env\":{\"\\ud800\":\"x\"}}")]
    public void WhatIsNoJson_OrNoUnicode_IsRefused(string json) => Assert.Equal("The body is not valid JSON", Json.Refused<CreateRequest>(json));

    [Theory]
    [InlineData(0xff)]
    [InlineData(0xc0)]
    [InlineData(0xed)]
    public void InvalidUtf8_IsRefused(byte first)
    {
        byte[] Body(string before, string after) => [.. Encoding.ASCII.GetBytes(before), first, 0xa0, 0x80, .. Encoding.ASCII.GetBytes(after)];

        Assert.Equal("The body is not valid JSON", Json.Refused<CreateRequest>(Body("{\"runtime\":\"", "\"}")));
        Assert.Equal("The body is not valid JSON", Json.Refused<CreateRequest>(Body("{\"", "\":1}")));
        Assert.Equal("The body is not valid JSON", Json.Refused<WriteRequest>(Body("{\"content\":\"", "\"}")));
        Assert.Equal("The body is not valid JSON", Json.Refused<CreateRequest>(Body("", "{}")));
    }

    [Fact]
    public void AText_KeepsEveryCharacter()
    {
        var text = Json.Read<RunRequest>("{\"command\":\"a\\u0000b\\n\\ud83d\\ude00 \u2028\"}").Command;

        Assert.Equal("a\0b\n😀 \u2028", text);
    }

    [Theory]
    [InlineData(100)]
    [InlineData(100_000)]
    public void DeepNesting_IsRefused(int depth)
    {
        Assert.Equal("The body is not valid JSON", Json.Refused<CreateRequest>($"{{\"env\":{new string('[', depth)}{new string(']', depth)}}}"));
        Assert.Equal("The body is not valid JSON", Json.Refused<CreateRequest>(string.Concat(Enumerable.Repeat("{\"capabilities\":", depth)) + "1" + new string('}', depth)));
    }

    [Fact]
    public void AVeryLongName_IsToldButNotRepeated()
    {
        var message = Json.Refused<CreateRequest>($"{{\"{new string('x', 1_000_000)}\":1}}");

        Assert.StartsWith("Unknown field: xxx", message, StringComparison.Ordinal);
        Assert.InRange(message.Length, 1, 200);
    }
}
