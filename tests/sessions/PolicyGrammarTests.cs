using Corral.Sessions.Policies;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>The forms of names, ranges, headers, references and proxies.</summary>
public sealed class PolicyGrammarTests
{
    [Theory]
    [InlineData("example.com")]
    [InlineData("*.example.com")]
    [InlineData("API.Example.COM")]
    [InlineData("a-b.c0.example")]
    [InlineData("xn--bcher-kva.example")]
    [InlineData("1.2.3.com")]
    public void ADomain_IsTaken(string text) => Assert.True(PolicyGrammar.IsDomain(text));

    [Theory]
    [InlineData("")]
    [InlineData("*")]
    [InlineData("*.")]
    [InlineData("*.com")]
    [InlineData("com")]
    [InlineData("localhost")]
    [InlineData("foo.*.com")]
    [InlineData("*.*.example.com")]
    [InlineData("*example.com")]
    [InlineData("1.2.3.4")]
    [InlineData("*.1.2.3.4")]
    [InlineData("127.1")]
    [InlineData("127.0x1")]
    [InlineData("a.b:443")]
    [InlineData("a_b.com")]
    [InlineData("a.com.")]
    [InlineData(".a.com")]
    [InlineData("a..com")]
    [InlineData("-a.com")]
    [InlineData("a-.com")]
    [InlineData("a.com\n")]
    [InlineData(" a.com")]
    [InlineData("http://a.com")]
    [InlineData("bücher.example")]
    [InlineData("[::1]")]
    public void WhatIsNoDomain_IsRefused(string text) => Assert.False(PolicyGrammar.IsDomain(text));

    [Fact]
    public void LongNames_AreRefused()
    {
        Assert.True(PolicyGrammar.IsDomain(new string('a', 63) + ".com"));
        Assert.False(PolicyGrammar.IsDomain(new string('a', 64) + ".com"));
        Assert.False(PolicyGrammar.IsDomain(string.Join('.', Enumerable.Repeat("abc", 64)) + ".com"));
    }

    [Theory]
    [InlineData("198.51.100.0/24", "198.51.100.0/24")]
    [InlineData("10.0.0.1/8", "10.0.0.0/8")]
    [InlineData("203.0.113.7", "203.0.113.7/32")]
    [InlineData("255.255.255.255/32", "255.255.255.255/32")]
    [InlineData("192.0.2.129/25", "192.0.2.128/25")]
    [InlineData("1.2.3.4/0", "0.0.0.0/0")]
    public void ARange_IsTaken_WithoutItsHostBits(string text, string range) => Assert.Equal(range, PolicyGrammar.ParseCidr(text)?.ToString());

    [Theory]
    [InlineData("")]
    [InlineData("10.0.0.0/33")]
    [InlineData("10.0.0.0/08")]
    [InlineData("10.0.0.0/")]
    [InlineData("10.0.0/8")]
    [InlineData("10.0.0.0.0/8")]
    [InlineData("256.0.0.0/8")]
    [InlineData("010.0.0.0/8")]
    [InlineData("10.0.0.0/8/8")]
    [InlineData("10.0.0.0 /8")]
    [InlineData("10.0.0.0/-1")]
    [InlineData("10..0.0/8")]
    [InlineData("0x0a.0.0.0/8")]
    [InlineData("::/0")]
    [InlineData("::ffff:10.0.0.1/128")]
    [InlineData("example.com/24")]
    [InlineData("10.0.0.0/8\n")]
    public void WhatIsNoRange_IsRefused(string text) => Assert.Null(PolicyGrammar.ParseCidr(text));

    [Theory]
    [InlineData("Authorization", true)]
    [InlineData("x-api-key", true)]
    [InlineData("a!#$%&'*+-.^_`|~9", true)]
    [InlineData("", false)]
    [InlineData("X A", false)]
    [InlineData("X:A", false)]
    [InlineData(":authority", false)]
    [InlineData("X-A\r\nX-B", false)]
    [InlineData("X-Ä", false)]
    [InlineData("X\0", false)]
    public void AHeaderName_IsAToken(string text, bool valid) => Assert.Equal(valid, PolicyGrammar.IsHeaderName(text));

    [Theory]
    [InlineData("Host")]
    [InlineData("content-length")]
    [InlineData("TRANSFER-ENCODING")]
    [InlineData("Connection")]
    [InlineData("Upgrade")]
    [InlineData("Alt-Svc")]
    [InlineData("ALPN")]
    [InlineData("te")]
    [InlineData("Proxy-Authorization")]
    public void WhatFramesRequests_IsNoHeaderToSet(string name) => Assert.True(PolicyGrammar.IsFraming(name));

    [Theory]
    [InlineData("Bearer abc", true)]
    [InlineData("a", true)]
    [InlineData("a\tb", true)]
    [InlineData("", false)]
    [InlineData(" a", false)]
    [InlineData("a ", false)]
    [InlineData("a\r\nB: c", false)]
    [InlineData("a\nb", false)]
    [InlineData("a\0b", false)]
    [InlineData("a\u007f", false)]
    [InlineData("ä", false)]
    public void AHeaderValue_IsVisibleText(string text, bool valid) => Assert.Equal(valid, PolicyGrammar.IsHeaderValue(text));

    [Theory]
    [InlineData("plain", "")]
    [InlineData("Bearer ${secret:A_b-c.9}", "A_b-c.9")]
    [InlineData("${secret:A}${secret:B}", "A,B")]
    [InlineData("${secret:A}-${secret:A}", "A")]
    public void AText_NamesItsSecrets(string text, string names) => Assert.Equal(names, string.Join(',', SecretReferences.Names(text)!));

    [Theory]
    [InlineData("${secret:}")]
    [InlineData("${secret:1}")]
    [InlineData("${secret:A")]
    [InlineData("${secret:A B}")]
    [InlineData("${secret:A@host.example}")]
    [InlineData("${secret:${secret:A}}")]
    [InlineData("${secret:A}${secret:B}${secret:C}")]
    public void AReferenceInAnotherForm_IsRefused(string text) => Assert.Null(SecretReferences.Names(text));

    [Fact]
    public void AFilledText_IsWhole_OrNothing()
    {
        Assert.Equal("a1b", SecretReferences.Fill("a${secret:X}b", _ => "1"));
        Assert.Null(SecretReferences.Fill("${secret:X}${secret:Y}", name => name == "X" ? "1" : null));
        Assert.Equal("${secret:Y}", SecretReferences.Fill("${secret:X}", _ => "${secret:Y}"));
    }

    [Theory]
    [InlineData("${secret:KEY@api.example.com}", "KEY", "api.example.com")]
    [InlineData("${secret:KEY@API.example.com}", "KEY", "api.example.com")]
    public void AnEnvironmentValue_BindsASecretToAHost(string value, string name, string host) => Assert.Equal((name, host), SecretReferences.Binding(value));

    [Theory]
    [InlineData("${secret:KEY}")]
    [InlineData("x${secret:KEY@api.example.com}")]
    [InlineData("${secret:KEY@api.example.com}\n")]
    [InlineData("${secret:KEY@*.example.com}")]
    [InlineData("${secret:KEY@localhost}")]
    [InlineData("${secret:KEY@a.example@b.example}")]
    [InlineData("${secret:KEY@10.0.0.1}")]
    public void AnEnvironmentValueInAnotherForm_BindsNothing(string value) => Assert.Null(SecretReferences.Binding(value));

    [Theory]
    [InlineData("http://proxy.example.com:3128", "http://proxy.example.com:3128")]
    [InlineData("https://u:p@proxy.example.com:443/", "https://***@proxy.example.com:443")]
    [InlineData("socks5://u@192.0.2.1:1080", "socks5://***@192.0.2.1:1080")]
    [InlineData("http://u%40x:p%3A@proxy.example.com:1", "http://***@proxy.example.com:1")]
    [InlineData("http://${secret:USER}:${secret:PASS}@proxy.example.com:8080", "http://***@proxy.example.com:8080")]
    public void AProxy_IsTaken_AndShownWithoutWhatIsSecret(string url, string masked)
    {
        Assert.Null(ProxyUrl.Check(url));
        Assert.Equal(masked, ProxyUrl.Mask(url));
    }

    [Theory]
    [InlineData("")]
    [InlineData("proxy.example.com:3128")]
    [InlineData("ftp://proxy.example.com:21")]
    [InlineData("socks4://proxy.example.com:1080")]
    [InlineData("http://proxy.example.com")]
    [InlineData("http://proxy.example.com:0")]
    [InlineData("http://proxy.example.com:65536")]
    [InlineData("http://localhost:3128")]
    [InlineData("http://[::1]:3128")]
    [InlineData("http://proxy.example.com:3128/path")]
    [InlineData("http://proxy.example.com:3128?x")]
    [InlineData("http://a@b@proxy.example.com:3128")]
    [InlineData("http://u:p\r\n@proxy.example.com:3128")]
    [InlineData("http://${secret:}@proxy.example.com:3128")]
    [InlineData("http://u:p@${secret:HOST}:3128")]
    [InlineData("http://u:p@mail.example.com:25")]
    [InlineData("http://a%3Ab:p@proxy.example.com:3128")]
    [InlineData("http://u:p%0A@proxy.example.com:3128")]
    public void WhatIsNoProxy_IsRefused(string url) => Assert.NotNull(ProxyUrl.Check(url));
}
