using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.Policies;
using Grpc.Core;
using Microsoft.Extensions.Options;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>What policies are refused for, and that the entry is named.</summary>
public sealed class PolicyValidatorTests
{
    private static readonly PolicyValidator Validator = new(Options.Create(new PolicyOptions()));

    [Theory]
    [InlineData("allow-all")]
    [InlineData("deny-all")]
    [InlineData("custom")]
    public void AMode_StandsForItself(string mode) => Validator.Check(new NetworkPolicy { Mode = mode });

    [Theory]
    [InlineData("")]
    [InlineData("Custom")]
    [InlineData("allow")]
    public void AnotherMode_IsRefused(string mode) => Assert.Equal("network_policy.mode", FieldOf(new NetworkPolicy { Mode = mode }));

    [Theory]
    [InlineData("allow-all")]
    [InlineData("deny-all")]
    public void Lists_AreForTheCustomModeOnly(string mode)
    {
        Assert.Equal("network_policy.allow_domains", FieldOf(new NetworkPolicy { Mode = mode, AllowDomains = { "a.example" } }));
        Assert.Equal("network_policy.allow_cidrs", FieldOf(new NetworkPolicy { Mode = mode, AllowCidrs = { "192.0.2.0/24" } }));
    }

    [Fact]
    public void Transforms_GoWithEveryModeThatLetsSomethingOut()
    {
        Validator.Check(new NetworkPolicy { Mode = "allow-all", Transforms = { new NetworkTransform { Domain = "a.example" } } });
        Validator.Check(new NetworkPolicy { Mode = "custom", Transforms = { new NetworkTransform { Domain = "a.example" } } });
        Assert.Equal("network_policy.transforms", FieldOf(new NetworkPolicy { Mode = "deny-all", Transforms = { new NetworkTransform { Domain = "a.example" } } }));
    }

    [Fact]
    public void AWrongEntry_IsNamedByItsPlace()
    {
        Assert.Equal("network_policy.allow_domains[1]", FieldOf(Custom(p => p.AllowDomains.Add(["a.example", "*.com"]))));
        Assert.Equal("network_policy.allow_cidrs[1]", FieldOf(Custom(p => p.AllowCidrs.Add(["192.0.2.1", "192.0.2.1/33"]))));
        Assert.Equal("network_policy.transforms[0].domain", FieldOf(Transforming(t => t.Domain = "example")));
        Assert.Equal("network_policy.transforms[0].strip_headers[1]", FieldOf(Transforming(t => t.StripHeaders.Add(["X-A", "Content-Length"]))));
        Assert.Equal("network_policy.transforms[0].inject_headers", FieldOf(Transforming(t => t.InjectHeaders["Transfer-Encoding"] = "x")));
        Assert.Equal("network_policy.transforms[0].inject_headers.X-A", FieldOf(Transforming(t => t.InjectHeaders["X-A"] = "a\r\nB: c")));
        Assert.Equal("network_policy.transforms[0].inject_headers.X-A", FieldOf(Transforming(t => t.InjectHeaders["X-A"] = "${secret:}")));
        Assert.Equal("network_policy.transforms[0].inject_headers.X-A", FieldOf(Transforming(t => t.InjectHeaders["X-A"] = "***")));
    }

    [Fact]
    public void AValue_IsInNoError()
    {
        var error = Assert.Throws<RpcException>(() => Validator.Check(Transforming(t => t.InjectHeaders["X-A"] = "hunter2\n")));

        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void TheSameHeaderInAnotherCase_IsRefused() => Assert.Equal("network_policy.transforms[0].inject_headers", FieldOf(Transforming(t =>
    {
        t.InjectHeaders["X-A"] = "1";
        t.InjectHeaders["x-a"] = "2";
    })));

    [Fact]
    public void TheSameDomainTwice_IsRefused() => Assert.Equal(
        "network_policy.transforms[1].domain",
        FieldOf(Custom(p => p.Transforms.Add([new NetworkTransform { Domain = "a.example" }, new NetworkTransform { Domain = "A.example" }]))));

    [Fact]
    public void AsMuchAsTheDocumentsSay_IsTaken_AndNoMore()
    {
        var full = Custom(p =>
        {
            p.AllowDomains.Add(Enumerable.Range(0, 50).Select(i => $"d{i}.example"));
            p.AllowCidrs.Add(Enumerable.Range(0, 10).Select(i => $"192.0.2.{i}"));
            p.Transforms.Add(Enumerable.Range(0, 20).Select(i => new NetworkTransform { Domain = $"t{i}.example" }));
        });
        Validator.Check(full);

        Assert.Equal("network_policy.allow_domains", FieldOf(With(full, p => p.AllowDomains.Add("one.more.example"))));
        Assert.Equal("network_policy.allow_cidrs", FieldOf(With(full, p => p.AllowCidrs.Add("192.0.2.99"))));
        Assert.Equal("network_policy.transforms", FieldOf(With(full, p => p.Transforms.Add(new NetworkTransform { Domain = "one.more.example" }))));
    }

    private static string FieldOf(NetworkPolicy policy) =>
        RpcErrors.Read(Assert.Throws<RpcException>(() => Validator.Check(policy))) is { Code: StatusCode.InvalidArgument, Violations: [var first] }
            ? first.Field
            : "none";

    private static NetworkPolicy Custom(Action<NetworkPolicy> with) => With(new NetworkPolicy { Mode = "custom" }, with);

    private static NetworkPolicy With(NetworkPolicy policy, Action<NetworkPolicy> with)
    {
        var changed = policy.Clone();
        with(changed);
        return changed;
    }

    private static NetworkPolicy Transforming(Action<NetworkTransform> with)
    {
        var transform = new NetworkTransform { Domain = "a.example" };
        with(transform);
        return new NetworkPolicy { Mode = "allow-all", Transforms = { transform } };
    }
}
