using System.Net;
using System.Net.Sockets;
using Corral.Egress.Tests.Lab;
using Corral.Egress.V1;
using Corral.Tests.Support;
using Xunit;

namespace Corral.Egress.Tests;

/// <summary>Where a sandbox's connections go, and where they do not.</summary>
public sealed class ConnectionTests(EgressLab lab)
{
    private static readonly Policy Usual = new()
    {
        Version = 1,
        Mode = PolicyMode.Custom,
        AllowDomains = { "allowed.test", "*.wild.test", "six.test", "dead.test" },
        AllowCidrs = { "198.51.100.0/24" },
        Transforms = { TestBox.Transform("transform.test") },
    };

    [Fact]
    public async Task AllowedName_TlsIsNotTouched()
    {
        using var box = await lab.BoxAsync(Usual);
        Assert.Equal($"{Outside.Allowed} allowed.test", await box.CurlAsync("--cacert", lab.OutsidePem, "https://allowed.test/"));
        var record = await box.AuditOfAsync("the connection", r => r.Kind == AuditKind.Connection);
        Assert.Equal((true, "allowed.test", Outside.Allowed.ToString(), 443, "domain:allowed.test", ""), (record.Allowed, record.Name, record.Address, record.Port, record.Rule, record.Reason));
        Assert.True(record.SentBytes > 200 && record.ReceivedBytes > 200);
    }

    [Fact]
    public async Task AllowedName_AnyProtocolOnAnyPort()
    {
        using var box = await lab.BoxAsync(Usual);
        using var ssh = await box.ConnectAsync("allowed.test", Outside.Banner);
        Assert.Equal("SSH-2.0-lab\r\n", await ssh.ReadAsync(13));
        Assert.Equal("SSH-2.0-client\r\n", await ssh.AskAsync("SSH-2.0-client\r\n"));
        using var echo = await box.ConnectAsync("a.wild.test", Outside.Echo);
        Assert.Equal("hello\n", await echo.AskAsync("hello\n"));
        using var tls = await box.ConnectAsync("allowed.test", Outside.Echo);
        Assert.Equal("\u0000\u0001\u0002", await tls.AskAsync("\u0000\u0001\u0002"));
    }

    [Fact]
    public async Task NameWithIpv6AddressesOnly_IsReached()
    {
        using var box = await lab.BoxAsync(Usual);
        using var echo = await box.ConnectAsync("six.test", Outside.Echo);
        Assert.Equal("hello\n", await echo.AskAsync("hello\n"));
    }

    [Fact]
    public async Task ListedRange_IsReachedByAddress_AndNothingBesideIt()
    {
        using var box = await lab.BoxAsync(Usual);
        using var listed = await box.ConnectAsync(Outside.Listed, Outside.Echo);
        Assert.Equal("hello\n", await listed.AskAsync("hello\n"));
        listed.Dispose();
        Assert.Equal("cidr:198.51.100.0/24", (await box.AuditOfAsync("the connection", r => r.Kind == AuditKind.Connection)).Rule);
        await RefusedAsync(box, Outside.Allowed, Outside.Echo, "ADDRESS_NOT_ALLOWED", "hello\n");
    }

    [Theory]
    [InlineData(5432)]
    [InlineData(22)]
    [InlineData(443)]
    [InlineData(25)]
    [InlineData(853)]
    [InlineData(31337)]
    public async Task AttackersAddress_IsRefusedOnEveryPort(int port)
    {
        using var box = await lab.BoxAsync(Usual);
        await RefusedAsync(box, Outside.Evil, port, "ADDRESS_NOT_ALLOWED", "SSH-2.0-client\r\n");
    }

    [Fact]
    public async Task AttackersAddress_SilentClientOfAServerThatSpeaksFirst_IsRefused()
    {
        using var box = await lab.BoxAsync(Usual);
        await RefusedAsync(box, Outside.Evil, Outside.Banner, "ADDRESS_NOT_ALLOWED", "");
    }

    [Fact]
    public async Task AttackersAddress_WithAnotherName_IsRefusedWithAnAlert()
    {
        using var box = await lab.BoxAsync(Usual);
        Assert.Contains("access denied", await box.CurlAsync("--insecure", "--resolve", $"evil.test:443:{Outside.Evil}", "https://evil.test/"), StringComparison.Ordinal);
        var record = await box.AuditOfAsync("the refusal", r => r.Kind == AuditKind.Connection);
        Assert.Equal((false, "evil.test", "NAME_NOT_ALLOWED", Outside.Evil.ToString()), (record.Allowed, record.Name, record.Reason, record.Address));
        AssertEvilIsUntouched();
    }

    [Fact]
    public async Task AttackersAddress_WithAnAllowedName_TheRealHostAnswers()
    {
        using var box = await lab.BoxAsync(Usual);
        Assert.Equal($"{Outside.Allowed} allowed.test", await box.CurlAsync("--cacert", lab.OutsidePem, "--resolve", $"allowed.test:443:{Outside.Evil}", "https://allowed.test/"));
        AssertEvilIsUntouched();
    }

    [Fact]
    public async Task AttackersAddress_WithTheNameOfATransform_IsTerminatedForThatName()
    {
        using var box = await lab.BoxAsync(Usual);
        using var client = await box.ConnectAsync(Outside.Evil, 443);
        await client.SendAsync(Hellos.ClientHello("transform.test"));
        Assert.Equal("terminated", await client.ReadAsync(10));
        Assert.Contains(("transform.test", Flows.FlowProtocol.Tls, "transform.test"), lab.Egress.Terminator.Taken);
    }

    [Theory]
    [InlineData("evil.test", "SERVER_NAME_MISMATCH")]
    [InlineData("a.wild.test", "SERVER_NAME_MISMATCH")]
    [InlineData("transform.test", "SERVER_NAME_MISMATCH")]
    [InlineData(null, "SERVER_NAME_MISSING")]
    public async Task ServerNameThatIsNotTheAskedName_IsRefusedWithAnAlert(string? serverName, string reason)
    {
        using var box = await lab.BoxAsync(Usual);
        using var client = await box.ConnectAsync("allowed.test", 443);
        await client.SendAsync(Hellos.ClientHello(serverName));
        Assert.Equal(Hellos.AccessDenied, await client.ReadAllAsync());
        Assert.Equal(reason, (await box.AuditOfAsync("the refusal", r => r.Kind == AuditKind.Connection)).Reason);
    }

    [Fact]
    public async Task ClientHelloInManyPieces_IsPutTogether()
    {
        using var box = await lab.BoxAsync(Usual);
        foreach (var (name, expected) in new[] { ("evil.test", Hellos.AccessDenied), ("allowed.test", "\u0016\u0003") })
        {
            foreach (var hello in new[] { Hellos.ClientHello(name), Hellos.ClientHello(name, recordSize: 40) })
            {
                using var client = await box.ConnectAsync("allowed.test", 443);
                client.Socket.NoDelay = true;
                for (var at = 0; at < hello.Length; at += 7) await client.SendAsync(hello.AsMemory(at, Math.Min(7, hello.Length - at)));
                Assert.Equal(expected, await client.ReadAsync(expected.Length));
            }
        }
    }

    [Fact]
    public async Task LateClientHello_IsJudgedAllTheSame()
    {
        using var box = await lab.BoxAsync(Usual);
        using var client = await box.ConnectAsync("allowed.test", Outside.OtherTls);
        // Until the service has given up waiting, and dialled.
        var before = lab.Outside.Connections.Count;
        await Eventually.Async("the server is dialled before the client has spoken", () => lab.Outside.Connections.Count > before);
        await client.SendAsync(Hellos.ClientHello("evil.test"));
        Assert.Equal(Hellos.AccessDenied, await client.ReadAllAsync());
        Assert.Equal("SERVER_NAME_MISMATCH", (await box.AuditOfAsync("the refusal", r => r.Kind == AuditKind.Connection)).Reason);
    }

    [Fact]
    public async Task LateClientHelloForATransform_IsStillTerminated()
    {
        using var box = await lab.BoxAsync(Usual);
        using var client = await box.ConnectAsync("transform.test", 443);
        var before = lab.Outside.Connections.Count;
        await Eventually.Async("the server is dialled before the client has spoken", () => lab.Outside.Connections.Count > before);
        await client.SendAsync(Hellos.ClientHello("transform.test"));
        Assert.Equal("terminated", await client.ReadAsync(10));
    }

    [Fact]
    public async Task RequestAfterTheServerHasSpoken_IsCut()
    {
        using var box = await lab.BoxAsync(Usual);
        using var client = await box.ConnectAsync("allowed.test", Outside.Banner);
        await client.ReadAsync(13);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: other.test\r\n\r\n");
        Assert.Contains("LATE_HELLO", await client.ReadAllAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: other.test\r\n\r\n", 80)]
    [InlineData("GET / HTTP/1.1\r\nHost: allowed.test\r\n\r\n", 8080)]
    [InlineData("\r\n\r\nGET / HTTP/1.1\r\nHost: other.test\r\n\r\n", 8080)]
    [InlineData("FOO / HTTP/1.1\r\nHost: other.test\r\n\r\n", 8080)]
    [InlineData("get / HTTP/1.1\r\nHost: other.test\r\n\r\n", 8080)]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 80)]
    [InlineData("CONNECT evil.test:443 HTTP/1.1\r\n\r\n", 80)]
    public async Task PlainRequests_AreHandedToTheTerminatorForTheAskedName(string request, int port)
    {
        using var box = await lab.BoxAsync(Usual);
        using var client = await box.ConnectAsync("allowed.test", port);
        await client.SendAsync(request);
        Assert.StartsWith("HTTP/1.1 200", await client.ReadAsync(12), StringComparison.Ordinal);
        var taken = lab.Egress.Terminator.Taken.Last();
        Assert.Equal(("allowed.test", Flows.FlowProtocol.Http, (string?)null), taken);
    }

    [Fact]
    public async Task PlainRequestToAnAddress_ItsHostDecides()
    {
        using var box = await lab.BoxAsync(Usual);
        Assert.Equal("allowed.test", await box.CurlAsync("-H", "Host: allowed.test", $"http://{Outside.Evil}/"));
        Assert.Contains("NAME_NOT_ALLOWED", await box.CurlAsync("-i", "-H", "Host: evil.test", $"http://{Outside.Evil}/"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 403", await box.CurlAsync("-i", $"http://{Outside.Evil}/"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 403", await box.CurlAsync("-i", "-H", "Host: evil.test", $"http://169.254.169.254/latest/"), StringComparison.Ordinal);
        AssertEvilIsUntouched();
    }

    [Theory]
    [InlineData("169.254.169.254")]
    [InlineData("10.99.0.5")]
    [InlineData("192.168.1.1")]
    [InlineData("172.16.0.1")]
    [InlineData("203.0.113.1")]
    [InlineData("100.64.0.1")]
    [InlineData("100.64.0.6")]
    [InlineData("198.18.77.77")]
    public async Task AddressesOfHostAndNeighbours_AreRefused_WhenEverythingIsAllowed(string address)
    {
        using var box = await lab.BoxAsync(TestBox.AllowAll());
        Assert.Equal("reset", await box.TryAsync(IPAddress.Parse(address), 5432, "hello\n"));
        var record = await box.AuditOfAsync("the refusal", r => r.Kind == AuditKind.Connection);
        Assert.False(record.Allowed);
        Assert.Contains(record.Reason, new[] { "ADDRESS_DENIED", "ADDRESS_UNKNOWN" });
    }

    [Fact]
    public async Task ClientThatIsSlowToSpeak_IsRefusedInItsOwnWords_AndJudgedByThem()
    {
        // Longer than one waits for who speaks first, so that its destination is looked at before it has said anything.
        var slow = TimeSpan.FromMilliseconds(300);
        using var box = await lab.BoxAsync(TestBox.AllowAll(policy => policy.Transforms.Add(TestBox.Transform("transform.test"))));
        var metadata = IPAddress.Parse("169.254.169.254");
        using var http = await box.ConnectAsync(metadata, 80);
        using var tls = await box.ConnectAsync(metadata, 443);
        using var transformed = await box.ConnectAsync(IPAddress.Parse("10.98.0.5"), 443);
        await Task.Delay(slow);

        await http.SendAsync("GET / HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n");
        await tls.SendAsync(Hellos.ClientHello("other.test"));
        await transformed.SendAsync(Hellos.ClientHello("transform.test"));

        var answer = await http.ReadAllAsync();
        Assert.StartsWith("HTTP/1.1 403 ", answer, StringComparison.Ordinal);
        Assert.Contains("ADDRESS_DENIED", answer, StringComparison.Ordinal);
        Assert.Equal(Hellos.AccessDenied, await tls.ReadAllAsync());
        Assert.Equal("terminated", await transformed.ReadAsync(10));
    }

    [Fact]
    public async Task ClientThatIsSlowToSpeak_IsAnsweredThroughAProxyBehindTls()
    {
        await using var egress = await RunningEgress.StartAsync(lab.NewHome(), options => options.TrustedAuthorities = lab.OutsidePem);
        var policy = TestBox.Custom("allowed.test");
        policy.UpstreamProxy = $"https://other.test:{Outside.TlsProxy}";
        using var box = await lab.BoxAsync(policy, egress);
        using var client = await box.ConnectAsync("allowed.test", Outside.Echo);
        await Eventually.Async("the proxy is dialled, for a client that waits", () => egress.Get<Gates.GateTable>().Find(box.Id)!.Flows.Any(flow => flow.Remote is not null));
        Assert.Equal("hello\n", await client.AskAsync("hello\n"));
        client.Socket.Shutdown(SocketShutdown.Send);
        Assert.Equal("", await client.ReadAllAsync());
    }

    [Fact]
    public async Task ListenersInTheGate_CannotBeDialledThemselves()
    {
        using var box = await lab.BoxAsync(TestBox.AllowAll());
        await Assert.ThrowsAsync<SocketException>(() => box.ConnectAsync(IPAddress.Parse("100.64.0.1"), 15001));
    }

    [Fact]
    public async Task RefusedRange_OpensOnlyWithTheOperatorsPermission()
    {
        var policy = new Policy { Version = 1, Mode = PolicyMode.Custom, AllowCidrs = { "10.99.0.0/24", "10.98.0.0/24", "203.0.113.0/24" }, AllowDomains = { "private.test" } };
        using var box = await lab.BoxAsync(policy);
        using (var permitted = await box.ConnectAsync(Outside.Private, Outside.Echo)) Assert.Equal("hello\n", await permitted.AskAsync("hello\n"));
        using (var byName = await box.ConnectAsync("private.test", Outside.Echo)) Assert.Equal("hello\n", await byName.AskAsync("hello\n"));
        await RefusedAsync(box, IPAddress.Parse("10.98.0.5"), Outside.Echo, "ADDRESS_DENIED", "hello\n");
        // The host's own address, which the operator permitted: the way is open, and nobody is there.
        Assert.Equal("reset", await box.TryAsync(Internet.Host, Outside.Echo, ""));
        await box.AuditOfAsync("the attempt", r => r.Address == Internet.Host.ToString() && r.Reason == "CONNECT_FAILED");
    }

    [Fact]
    public async Task HostsOwnAddress_InAListedRangeWithoutPermission_IsRefused()
    {
        await using var egress = await RunningEgress.StartAsync(lab.NewHome(), options => options.PermittedRanges = []);
        using var box = await lab.BoxAsync(new Policy { Version = 1, Mode = PolicyMode.Custom, AllowCidrs = { "0.0.0.0/0" } }, egress);
        using (var open = await box.ConnectAsync(Outside.Other, Outside.Echo)) Assert.Equal("hello\n", await open.AskAsync("hello\n"));
        await RefusedAsync(box, Internet.Host, Outside.Echo, "ADDRESS_DENIED", "hello\n");
        await RefusedAsync(box, Outside.Private, Outside.Echo, "ADDRESS_DENIED", "hello\n");
        await RefusedAsync(box, IPAddress.Parse("169.254.169.254"), 80, "ADDRESS_DENIED", "hello\n");
    }

    [Fact]
    public async Task NameThatMovesToARefusedAddress_IsNotFollowed()
    {
        lab.Outside.Names.Zone["flip.wild.test"] = [Outside.Allowed];
        lab.Outside.Names.TimeToLive = 0;
        try
        {
            using var box = await lab.BoxAsync(Usual);
            using (var before = await box.ConnectAsync("flip.wild.test", Outside.Echo)) Assert.Equal("hello\n", await before.AskAsync("hello\n"));
            var address = await box.AddressOfAsync("flip.wild.test");
            lab.Outside.Names.Zone["flip.wild.test"] = [Outside.Private, IPAddress.Loopback];
            // As soon as the answer is forgotten, a second at the most.
            await Eventually.Async("the name is refused", TimeSpan.FromSeconds(10), async () =>
            {
                await box.TryAsync(address, Outside.Echo, "hello\n");
                return (await box.AuditAsync()).Any(r => r.Reason == "ADDRESS_DENIED");
            });
            var records = await box.AuditAsync();
            Assert.DoesNotContain(records, record => record.Address == Outside.Private.ToString());
        }
        finally
        {
            lab.Outside.Names.TimeToLive = 60;
        }
    }

    [Fact]
    public async Task NameWithGoodAndRefusedAddresses_OnlyTheGoodOnesAreDialled()
    {
        using var box = await lab.BoxAsync(TestBox.Custom("mixed.test"));
        using var client = await box.ConnectAsync("mixed.test", Outside.Echo);
        Assert.Equal("hello\n", await client.AskAsync("hello\n"));
        client.Dispose();
        Assert.Equal(Outside.Allowed.ToString(), (await box.AuditOfAsync("the connection", r => r.Kind == AuditKind.Connection)).Address);
    }

    [Fact]
    public async Task Mail_IsRefusedByNameAndWhenEverythingIsAllowed()
    {
        using var named = await lab.BoxAsync(Usual);
        await RefusedAsync(named, await named.AddressOfAsync("allowed.test"), Outside.Smtp, "PORT_DENIED", "");
        using var free = await lab.BoxAsync(TestBox.AllowAll());
        await RefusedAsync(free, Outside.Allowed, Outside.Smtp, "PORT_DENIED", "");
        using var listed = await named.ConnectAsync(Outside.Listed, Outside.Smtp);
        Assert.Equal("220 lab", await listed.ReadAsync(7));
    }

    [Fact]
    public async Task EverythingAllowed_AddressesAndNamesAreReached()
    {
        using var box = await lab.BoxAsync(TestBox.AllowAll());
        using (var byAddress = await box.ConnectAsync(Outside.Other, Outside.Echo)) Assert.Equal("hello\n", await byAddress.AskAsync("hello\n"));
        using (var banner = await box.ConnectAsync(Outside.Other, Outside.Banner)) Assert.Equal("SSH-2.0", await banner.ReadAsync(7));
        Assert.Equal($"{Outside.Other} other.test", await box.CurlAsync("--cacert", lab.OutsidePem, "https://other.test/"));
        Assert.Equal($"{Outside.Other} {Outside.Other}:8080", await box.CurlAsync($"http://{Outside.Other}:8080/"));
        Assert.Equal("other.test", await box.CurlAsync("http://other.test/"));
    }

    [Fact]
    public async Task EverythingAllowed_OnlyATransformedNameIsTerminated()
    {
        using var box = await lab.BoxAsync(TestBox.AllowAll(policy => policy.Transforms.Add(TestBox.Transform("transform.test"))));
        using (var transformed = await box.ConnectAsync("transform.test", 443))
        {
            await transformed.SendAsync(Hellos.ClientHello("transform.test"));
            Assert.Equal("terminated", await transformed.ReadAsync(10));
        }

        // By another name's connection it is not reached.
        using var fronted = await box.ConnectAsync("other.test", 443);
        await fronted.SendAsync(Hellos.ClientHello("transform.test"));
        Assert.Equal(Hellos.AccessDenied, await fronted.ReadAllAsync());
        Assert.Equal($"{Outside.Other} other.test", await box.CurlAsync("--cacert", lab.OutsidePem, "https://other.test/"));
    }

    [Fact]
    public async Task TransformedName_OnAnotherPort_IsCarriedAsItIs()
    {
        using var box = await lab.BoxAsync(Usual);
        Assert.Equal($"{Outside.Allowed} transform.test:8443", await box.CurlAsync("--cacert", lab.OutsidePem, "https://transform.test:8443/"));
    }

    [Fact]
    public async Task NobodyAnswers_TheConnectionIsReset_AndTheAuditSaysWhy()
    {
        using var box = await lab.BoxAsync(Usual);
        Assert.Equal("reset", await box.TryAsync(await box.AddressOfAsync("dead.test"), Outside.Echo, "hello\n"));
        var record = await box.AuditOfAsync("the failure", r => r.Kind == AuditKind.Connection);
        Assert.Contains(record.Reason, new[] { "CONNECT_FAILED", "CONNECT_TIMEOUT" });
        Assert.False(record.Allowed);
    }

    [Fact]
    public async Task AnythingButTcp_GoesNowhere()
    {
        using var box = await lab.BoxAsync(TestBox.AllowAll());
        var printed = await box.PythonAsync("""
            import socket, struct
            def udp(port):
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2); s.connect(("203.0.113.66", port))
                try:
                    s.send(b"x" * 1200); s.recv(10)
                except OSError as e: return e.errno
            print(udp(443), udp(123))
            for protocol in (1, 47, 4, 132, 50, 41):
                s = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
                try: s.sendto(b"\x08\x00" + b"x" * 40, ("203.0.113.66", 0))
                except OSError: pass
            spoofed = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 1, 0, 64, 17, 0, socket.inet_aton("203.0.113.10"), socket.inet_aton("203.0.113.66")) + struct.pack("!HHHH", 9, 9, 8, 0)
            s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
            try: s.sendto(spoofed, ("203.0.113.66", 0))
            except OSError: pass
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("eth0", 0))
            s.send(b"\x02\x64\x40\x00\x00\x01\x02\x64\x40\x00\x00\x02\x08\x00" + spoofed)
            s.send(b"\x02\x64\x40\x00\x00\x01\x02\x64\x40\x00\x00\x02\x86\xdd" + b"\x60" + b"\0" * 60)
            print("sent")
            """);
        // "No route to host" at once: a client of QUIC falls back without waiting.
        Assert.Equal("113 113\nsent", printed);
        // Something that does arrive, so that what was sent before it would have, too.
        using (var last = await box.ConnectAsync(Outside.Other, Outside.Echo)) Assert.Equal("hello\n", await last.AskAsync("hello\n"));
        AssertEvilIsUntouched();
        Assert.DoesNotContain(lab.Outside.Packets.Seen, packet => packet.From.ToString().StartsWith("100.64.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task RootInside_CannotOpenAWayByItsOwnRules()
    {
        using var box = await lab.BoxAsync(TestBox.Custom("allowed.test"));
        await box.Inside.RunProgramAsync("nft", ["flush", "ruleset"]);
        await box.Inside.RunProgramAsync("ip", ["addr", "add", "100.64.0.6/30", "dev", "eth0"]);
        await box.Inside.RunProgramAsync("ip", ["route", "replace", "default", "via", "100.64.0.1", "src", "100.64.0.6"]);
        using (var client = await box.Inside.SocketAsync(SocketType.Stream))
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
            await Assert.ThrowsAnyAsync<Exception>(async () => await client.ConnectAsync(new IPEndPoint(Outside.Evil, 5432), patience.Token));
        }

        AssertEvilIsUntouched();
    }

    private static async Task RefusedAsync(TestBox box, IPAddress address, int port, string reason, string first)
    {
        Assert.Equal("reset", await box.TryAsync(address, port, first));
        var record = await box.AuditOfAsync("the refusal", r => r.Kind == AuditKind.Connection && r.Reason == reason && r.Port == port);
        Assert.Equal((false, port, ""), (record.Allowed, record.Port, record.Rule));
    }

    private void AssertEvilIsUntouched()
    {
        Assert.DoesNotContain(lab.Outside.Packets.Seen, packet => packet.To.Equals(Outside.Evil));
        Assert.DoesNotContain(lab.Outside.Connections, to => to.Address.Equals(Outside.Evil));
    }
}
