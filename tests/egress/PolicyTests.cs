using System.Net;
using Corral.Egress.Policies;
using Corral.Egress.V1;
using Xunit;

namespace Corral.Egress.Tests;

/// <summary>The grammar of policies, and what they say about names and addresses.</summary>
public sealed class PolicyTests
{
    private static readonly PolicyLimits Defaults = new(10, 20, 0, 30);

    [Theory]
    [InlineData("example.com")]
    [InlineData("*.example.com")]
    [InlineData("xn--bcher-kva.example")]
    [InlineData("EXAMPLE.Com")]
    [InlineData("a-b.c1.d")]
    public void Domain_IsAccepted(string domain) => Compile(policy => policy.AllowDomains.Add(domain));

    [Theory]
    [InlineData("*")]
    [InlineData("*.com")]
    [InlineData("localhost")]
    [InlineData("foo.*.com")]
    [InlineData("*.*.com")]
    [InlineData("1.2.3.4")]
    [InlineData("a.b:443")]
    [InlineData("a_b.com")]
    [InlineData("-a.com")]
    [InlineData("a-.com")]
    [InlineData("a.-b.com")]
    [InlineData("a..com")]
    [InlineData(".a.com")]
    [InlineData("a.com.")]
    [InlineData("a.com/x")]
    [InlineData("bücher.example")]
    [InlineData("a b.com")]
    [InlineData("a.0x7f")]
    [InlineData("")]
    [InlineData("https://a.com")]
    public void Domain_IsRefused(string domain) =>
        Assert.Equal("policy.allow_domains[0]", Assert.Throws<PolicyException>(() => Compile(policy => policy.AllowDomains.Add(domain))).Field);

    [Theory]
    [InlineData("10.0.0.1/8", "10.255.0.1", true)]
    [InlineData("198.51.100.0/24", "198.51.101.0", false)]
    [InlineData("0.0.0.0/0", "203.0.113.1", true)]
    [InlineData("203.0.113.7/32", "203.0.113.7", true)]
    [InlineData("203.0.113.7/32", "203.0.113.6", false)]
    public void Range_HoldsItsAddresses(string range, string address, bool holds) =>
        Assert.Equal(holds, Compile(policy => policy.AllowCidrs.Add(range)).MatchRange(IPAddress.Parse(address)) is not null);

    [Theory]
    [InlineData("10.0.0.0")]
    [InlineData("10.0.0.0/33")]
    [InlineData("10.0.0.0/-1")]
    [InlineData("10.0/8")]
    [InlineData("010.0.0.0/8")]
    [InlineData("0x0a.0.0.0/8")]
    [InlineData("::/0")]
    [InlineData("10.0.0.0/8 ")]
    [InlineData("")]
    public void Range_IsRefused(string range) =>
        Assert.Equal("policy.allow_cidrs[0]", Assert.Throws<PolicyException>(() => Compile(policy => policy.AllowCidrs.Add(range))).Field);

    [Fact]
    public void MostSpecificTransform_Wins_AndGoesBeforeTheDomains()
    {
        var policy = Compile(policy =>
        {
            policy.AllowDomains.Add("*.example.com");
            policy.Transforms.Add(new Transform { Domain = "*.example.com", StripHeaders = { "x-one" } });
            policy.Transforms.Add(new Transform { Domain = "*.api.example.com", StripHeaders = { "x-two" } });
            policy.Transforms.Add(new Transform { Domain = "v1.api.example.com", StripHeaders = { "x-three" } });
        });
        Assert.Equal("transform:v1.api.example.com", policy.Match("v1.api.example.com").Rule);
        Assert.Equal("transform:*.api.example.com", policy.Match("a.v1.api.example.com").Rule);
        Assert.Equal("x-one", policy.Match("www.example.com").Transform!.Strip[0]);
        Assert.False(policy.Match("example.com").Allowed);
    }

    [Fact]
    public void EmptyCustomPolicy_AllowsNothing()
    {
        var policy = Compile(_ => { });
        Assert.False(policy.Match("example.com").Allowed);
        Assert.Null(policy.MatchAddress(Lab.Outside.Allowed));
    }

    [Fact]
    public void Placeholder_MakesItsNameTransformed_ButDoesNotAllowIt()
    {
        var placeholder = new Placeholder { Text = "corral-secret-" + new string('a', 32), Domain = "api.example.com", Value = "value" };
        Assert.True(Compile(policy =>
        {
            policy.AllowDomains.Add("*.example.com");
            policy.Placeholders.Add(placeholder);
        }).Match("api.example.com").IsTransformed);
        Assert.False(Compile(policy => policy.Placeholders.Add(placeholder)).Match("api.example.com").IsTransformed);
    }

    [Theory]
    [InlineData("host")]
    [InlineData("Content-Length")]
    [InlineData("transfer-encoding")]
    [InlineData("Alt-Svc")]
    [InlineData("bad name")]
    [InlineData("")]
    [InlineData("x:y")]
    public void HeaderThatFramesRequestsOrIsNone_IsRefused(string name)
    {
        Assert.Throws<PolicyException>(() => Compile(policy => policy.Transforms.Add(new Transform { Domain = "a.com", StripHeaders = { name } })));
        Assert.Throws<PolicyException>(() => Compile(policy => policy.Transforms.Add(new Transform { Domain = "a.com", InjectHeaders = { new InjectedHeader { Name = name, Value = "x" } } })));
    }

    [Theory]
    [InlineData("a\r\nx: y")]
    [InlineData("a\0")]
    [InlineData("")]
    [InlineData(" a")]
    [InlineData("é")]
    public void HeaderValueThatIsNone_IsRefused_AndNotRepeated(string value)
    {
        var problem = Assert.Throws<PolicyException>(() => Compile(policy =>
            policy.Transforms.Add(new Transform { Domain = "a.com", InjectHeaders = { new InjectedHeader { Name = "x", Value = value } } })));
        Assert.True(value.Length == 0 || value == " a" || !problem.Message.Contains(value, StringComparison.Ordinal));
    }

    [Fact]
    public void WhatDoesNotGoWithTheMode_IsRefused()
    {
        Refused("policy.allow_domains", new Policy { Version = 1, Mode = PolicyMode.AllowAll, AllowDomains = { "a.com" } });
        Refused("policy.allow_cidrs", new Policy { Version = 1, Mode = PolicyMode.DenyAll, AllowCidrs = { "1.0.0.0/8" } });
        Refused("policy.transforms", new Policy { Version = 1, Mode = PolicyMode.DenyAll, Transforms = { new Transform { Domain = "a.com" } } });
        Refused("policy.version", new Policy { Mode = PolicyMode.Custom });
        Refused("policy.mode", new Policy { Version = 1 });
        Refused("policy.mode", new Policy { Version = 1, Mode = (PolicyMode)9 });
        Refused("policy.allow_domains", new Policy { Version = 1, Mode = PolicyMode.Custom, AllowDomains = { Enumerable.Range(0, 10_001).Select(i => $"a{i}.com") } });
        Refused("policy.limits", new Policy { Version = 1, Mode = PolicyMode.Custom, Limits = new Limits { Connections = -1 } });
        Refused("policy.transforms[1].domain", new Policy { Version = 1, Mode = PolicyMode.Custom, Transforms = { new Transform { Domain = "a.com" }, new Transform { Domain = "A.com" } } });
    }

    [Theory]
    [InlineData("http://user:p%40ss@proxy.example:3128", "http", "proxy.example", 3128, "user", "p@ss")]
    [InlineData("https://proxy.example", "https", "proxy.example", 443, "", "")]
    [InlineData("socks5://203.0.113.5", "socks5", "203.0.113.5", 1080, "", "")]
    public void Proxy_IsRead(string text, string scheme, string host, int port, string user, string password)
    {
        var proxy = UpstreamProxy.Parse(text);
        Assert.Equal((scheme, host, port, user, password), (proxy.Scheme, proxy.Host, proxy.Port, proxy.User, proxy.Password));
        Assert.DoesNotContain("ss", proxy.ToString()["https://".Length..], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ftp://proxy.example")]
    [InlineData("proxy.example:3128")]
    [InlineData("http://proxy.example/path")]
    [InlineData("http://")]
    [InlineData("http://us%3Aer:pass@proxy.example")]
    [InlineData("http://user:pa%0d%0ass@proxy.example")]
    public void Proxy_IsRefused_WithoutRepeatingIt(string text)
    {
        var problem = Assert.Throws<PolicyException>(() => UpstreamProxy.Parse(text));
        Assert.DoesNotContain("proxy.example", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ProxyPasswordThatNoProtocolCarries_IsRefused() =>
        Assert.Throws<PolicyException>(() => UpstreamProxy.Parse($"socks5://user:{new string('p', 256)}@proxy.example"));

    private static void Refused(string field, Policy policy) =>
        Assert.Equal(field, Assert.Throws<PolicyException>(() => PolicyCompiler.Compile(policy, Defaults)).Field);

    private static EgressPolicy Compile(Action<Policy> change)
    {
        var policy = new Policy { Version = 1, Mode = PolicyMode.Custom };
        change(policy);
        return PolicyCompiler.Compile(policy, Defaults);
    }
}
