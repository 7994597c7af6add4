using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.Creating;
using Grpc.Core;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>What a create may ask for, and the words in which it is refused otherwise.</summary>
public sealed class CreateValidatorTests
{
    private static readonly PlanOptions Plans = new();

    [Fact]
    public void AnEmptyRequest_IsFineOnEveryPlan() =>
        Assert.All(new[] { "free", "builder", "pro", "scale" }, plan => CreateValidator.Check(new CreateRequest(), plan, Plans.Of(plan)));

    [Theory]
    [InlineData("")]
    [InlineData("node")]
    [InlineData("Bun")]
    [InlineData("bun ")]
    public void AnUnknownRuntime_IsRefused(string runtime) =>
        Refused("Invalid runtime. Must be one of: bun, python, base", "INVALID_RUNTIME", "runtime", r => r.Runtime = runtime);

    [Theory]
    [InlineData("large")]
    [InlineData("")]
    public void AnUnknownSize_IsRefused(string size) =>
        Refused($"Invalid size: '{size}'. Must be one of: standard", "INVALID_SIZE", "size", r => r.Size = size);

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    public void ADurationThatIsNotPositive_IsRefused(long duration) =>
        Refused("Invalid maxDurationMs", "INVALID_MAX_DURATION", "max_duration_ms", r => r.MaxDurationMs = duration);

    [Theory]
    [InlineData("free", 300_000)]
    [InlineData("builder", 1_800_000)]
    [InlineData("pro", 3_600_000)]
    [InlineData("scale", 7_200_000)]
    public void ThePlansLongestDuration_IsTaken_AndOneMillisecondMoreIsRefused(string plan, long limit)
    {
        CreateValidator.Check(new CreateRequest { MaxDurationMs = limit }, plan, Plans.Of(plan));

        foreach (var above in new[] { limit + 1, long.MaxValue })
        {
            var error = Refused("Invalid maxDurationMs", "PLAN_LIMIT_EXCEEDED", "max_duration_ms", r => r.MaxDurationMs = above, plan);
            Assert.Equal((limit.ToString(), plan), (error.Metadata["limit"], error.Metadata["currentPlan"]));
        }
    }

    [Theory]
    [InlineData("free", 1, 5)]
    [InlineData("builder", 3, 50)]
    [InlineData("pro", 10, 500)]
    [InlineData("scale", 50, 5_000)]
    [InlineData("no such plan", 1, 5)]
    public void APlan_HasThePublishedFigures(string plan, int concurrent, int hours) =>
        Assert.Equal((concurrent, hours), (Plans.Of(plan).ConcurrentSandboxes, Plans.Of(plan).HoursPerMonth));

    [Theory]
    [InlineData("free")]
    [InlineData("builder")]
    public void APairedBrowser_NeedsPro(string plan)
    {
        var request = new CreateRequest { Capabilities = new Capabilities { Browser = new BrowserCapability { Mode = "paired-banata-browser" } } };

        var error = RpcErrors.Read(Assert.Throws<RpcException>(() => CreateValidator.Check(request, plan, Plans.Of(plan))));

        Assert.StartsWith("Paired browser is not available on your current plan", error.Message, StringComparison.Ordinal);
        Assert.Equal((StatusCode.PermissionDenied, "PLAN_FEATURE_UNAVAILABLE"), (error.Code, error.Reason));
        Assert.Equal(("pro", plan), (error.Metadata["requiredPlan"], error.Metadata["currentPlan"]));
    }

    [Theory]
    [InlineData("pro")]
    [InlineData("scale")]
    public void APairedBrowser_IsTakenFromProOn(string plan) => CreateValidator.Check(
        new CreateRequest { Capabilities = new Capabilities { Browser = new BrowserCapability { Mode = "paired-banata-browser" } } }, plan, Plans.Of(plan));

    [Theory]
    [InlineData("iad")]
    [InlineData("lhr")]
    public void ARegionOfThreeLetters_IsTaken(string region) => CreateValidator.Check(new CreateRequest { Region = region }, "free", Plans.Free);

    [Theory]
    [InlineData("")]
    [InlineData("IAD")]
    [InlineData("iad\n")]
    [InlineData("iada")]
    [InlineData("ïad")]
    public void AnyOtherRegion_IsRefused(string region) => Refused(null, "INVALID_ARGUMENT", "region", r => r.Region = region);

    [Theory]
    [InlineData("")]
    [InlineData("1A")]
    [InlineData("A-B")]
    [InlineData("A=B")]
    [InlineData("A\n")]
    [InlineData("Ä")]
    public void AnEnvironmentName_ThatAShellCouldNotHave_IsRefused(string name) => Refused(null, "INVALID_ARGUMENT", "env", r => r.Env[name] = "x");

    [Fact]
    public void AnEnvironmentValueWithNul_IsRefused_AndNotRepeated()
    {
        var error = Refused(null, "INVALID_ARGUMENT", "env", r => r.Env["TOKEN"] = "hush\0hush");

        Assert.DoesNotContain("hush", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheEnvironment_HasAtMost256Entries()
    {
        CreateValidator.Check(Environment(256, "x"), "free", Plans.Free);
        Refused(null, "INVALID_ARGUMENT", "env", r => r.Env.Add(Environment(257, "x").Env));
    }

    [Fact]
    public void TheEnvironment_HasAtMost64KibibytesOfUtf8()
    {
        const int Name = 1;
        CreateValidator.Check(new CreateRequest { Env = { ["A"] = new string('x', (64 * 1024) - Name) } }, "free", Plans.Free);
        Refused(null, "INVALID_ARGUMENT", "env", r => r.Env["A"] = new string('x', 64 * 1024));
        Refused(null, "INVALID_ARGUMENT", "env", r => r.Env["A"] = new string('€', 22 * 1024));
    }

    [Fact]
    public void Capabilities_HaveAtMost64Kibibytes_WithWhatIsNotKnownOfThem()
    {
        var unknown = new byte[64 * 1024];
        unknown[0] = 0xA2; // Field 500, of 65,531 bytes.
        unknown[1] = 0x1F;
        (unknown[2], unknown[3], unknown[4]) = (0xFB, 0xFF, 0x03);

        CreateValidator.Check(new CreateRequest { Capabilities = Capabilities.Parser.ParseFrom(unknown) }, "free", Plans.Free);
        Refused(null, "INVALID_ARGUMENT", "capabilities", r =>
        {
            r.Capabilities = Capabilities.Parser.ParseFrom(unknown);
            r.Capabilities.Opencode = new AgentCapability();
        });
    }

    [Fact]
    public void ARequestId_HasAtMost128Bytes()
    {
        CreateValidator.Check(new CreateRequest { RequestId = new string('x', 128) }, "free", Plans.Free);
        Refused(null, "INVALID_ARGUMENT", "request_id", r => r.RequestId = new string('x', 129));
        Refused(null, "INVALID_ARGUMENT", "request_id", r => r.RequestId = new string('€', 43));
    }

    [Fact]
    public void WhatNoCapabilityHas_IsRefusedByItsName()
    {
        Refused(null, "INVALID_ARGUMENT", "isolation", r => r.Isolation = "docker");
        Refused(null, "INVALID_ARGUMENT", "capabilities.opencode.defaultAgent", r => r.Capabilities = new() { Opencode = new() { DefaultAgent = "chef" } });
        Refused(null, "INVALID_ARGUMENT", "capabilities.agent.defaultAgent", r => r.Capabilities = new() { Agent = new() { DefaultAgent = "chef" } });
        Refused(null, "INVALID_ARGUMENT", "capabilities.browser.mode", r => r.Capabilities = new() { Browser = new() { Mode = "lynx" } });
        Refused(null, "INVALID_ARGUMENT", "capabilities.browser.viewport", r => r.Capabilities = new() { Browser = new() { Viewport = new() { Width = 0, Height = 10 } } });
        Refused(null, "INVALID_ARGUMENT", "capabilities.browser.byoProxyUrl", r => r.Capabilities = new() { Browser = new() { ByoProxyUrl = "http://u:hush@h:1" } });
        Refused(null, "INVALID_ARGUMENT", "capabilities.storage.workspace", r => r.Capabilities = new() { Storage = new() { Workspace = "kept" } });
    }

    private static CreateRequest Environment(int entries, string value)
    {
        var request = new CreateRequest();
        for (var i = 0; i < entries; i++)
        {
            request.Env[$"N{i}"] = value;
        }

        return request;
    }

    private static RpcErrorInfo Refused(string? message, string reason, string field, Action<CreateRequest> change, string plan = "free")
    {
        var request = new CreateRequest();
        change(request);

        var error = RpcErrors.Read(Assert.Throws<RpcException>(() => CreateValidator.Check(request, plan, Plans.Of(plan))));

        Assert.Equal((StatusCode.InvalidArgument, reason), (error.Code, error.Reason));
        Assert.Equal(field, Assert.Single(error.Violations).Field);
        Assert.Equal(message ?? error.Message, error.Message);
        return error;
    }
}
