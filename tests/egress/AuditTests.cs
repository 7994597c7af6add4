using Corral.Egress.Audit;
using Corral.Egress.Tests.Lab;
using Corral.Egress.V1;
using Corral.NodeAgent.Host;
using Grpc.Core;
using Xunit;

namespace Corral.Egress.Tests;

/// <summary>What is on record.</summary>
public sealed class AuditTests(EgressLab lab)
{
    [Fact]
    public async Task Records_AreNumberedFromOneInOrder_AndPaged()
    {
        using var box = await lab.BoxAsync(TestBox.Custom("allowed.test"));
        for (var i = 0; i < 5; i++)
        {
            await box.AskAsync("allowed.test");
            await box.AskAsync("evil.test");
        }

        var all = await box.AuditAsync();
        Assert.Equal(Enumerable.Range(1, 11).Select(i => (long)i), all.Select(r => r.Sequence));
        Assert.Equal(AuditKind.Policy, all[0].Kind);
        Assert.All(all, r => Assert.Equal(box.Id, r.SandboxId));
        Assert.Equal(5, (await box.AuditAsync(refusedOnly: true)).Count);
        var page = await lab.Egress.Client.ListAuditAsync(new ListAuditRequest { SandboxId = box.Id, After = 3, Limit = 2 });
        Assert.Equal([4L, 5L], page.Records.Select(r => r.Sequence));
        var refused = await lab.Egress.Client.ListAuditAsync(new ListAuditRequest { SandboxId = box.Id, After = 3, Limit = 2, RefusedOnly = true });
        Assert.Equal([5L, 7L], refused.Records.Select(r => r.Sequence));
    }

    [Fact]
    public async Task RecordsAndTheirNumbers_SurviveARestart_AndATornTail()
    {
        var home = lab.NewHome();
        using var box = await lab.NewBoxAsync();
        await using (var first = await RunningEgress.StartAsync(home))
        {
            await first.Client.AttachAsync(box.Order(TestBox.Custom("allowed.test")));
            await box.AskAsync("evil.test");
        }

        await File.AppendAllTextAsync(Path.Combine(home, "egress", "audit", box.Id + ".audit"), "\u007f torn", TestContext.Current.CancellationToken);
        await using var second = await RunningEgress.StartAsync(home);
        await second.Client.AttachAsync(box.Order(TestBox.Custom("allowed.test")));
        await box.AskAsync("evil.test");
        var records = (await second.Client.ListAuditAsync(new ListAuditRequest { SandboxId = box.Id })).Records;
        Assert.Equal([1L, 2L, 3L, 4L], records.Select(r => r.Sequence));
        Assert.Equal(2, records.Count(r => r.Name == "evil.test"));
    }

    [Fact]
    public async Task Watch_GivesWhatIsKeptAndThenWhatHappens()
    {
        using var box = await lab.BoxAsync(TestBox.Custom("allowed.test"));
        await box.AskAsync("evil.test");
        using var old = lab.Egress.Client.WatchAudit(new WatchAuditRequest { SandboxId = box.Id, After = 1 });
        using var live = lab.Egress.Client.WatchAudit(new WatchAuditRequest { SandboxId = box.Id, After = -1 });
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        await live.ResponseHeadersAsync;
        Assert.True(await old.ResponseStream.MoveNext(patience.Token));
        Assert.Equal("evil.test", old.ResponseStream.Current.Record.Name);
        var next = live.ResponseStream.MoveNext(patience.Token);
        await box.AskAsync("first.test");
        await box.AskAsync("second.test");
        Assert.True(await next);
        Assert.Contains(live.ResponseStream.Current.Record.Name, new[] { "first.test", "evil.test" });
        Assert.True(await old.ResponseStream.MoveNext(patience.Token));
        Assert.Equal("first.test", old.ResponseStream.Current.Record.Name);
        Assert.True(await old.ResponseStream.MoveNext(patience.Token));
        Assert.Equal("second.test", old.ResponseStream.Current.Record.Name);
    }

    [Fact]
    public async Task SecretsOfAPolicy_AreInNoFileAndNoLog()
    {
        const string Secret = "secret-of-the-test", Password = "proxy-password-of-the-test";
        var home = lab.NewHome();
        await using var egress = await RunningEgress.StartAsync(home);
        var policy = TestBox.Custom("allowed.test");
        policy.Transforms.Add(TestBox.Transform("transform.test"));
        policy.UpstreamProxy = $"http://user:{Password}@203.0.113.99:3128";
        using var box = await lab.BoxAsync(policy, egress);
        await box.AskAsync("transform.test");
        await box.TryAsync(await box.AddressOfAsync("allowed.test"), Outside.Echo, "hello\n");
        policy.Version = 2;
        policy.Transforms[0].InjectHeaders[0].Name = "bad name";
        await Assert.ThrowsAsync<RpcException>(async () => await egress.Client.AttachAsync(box.Order(policy)));
        await egress.Get<AuditLog>().FlushAsync(CancellationToken.None);
        var texts = egress.Errors.All.Concat(Directory.EnumerateFiles(home, "*", SearchOption.AllDirectories)
            .Where(file => !file.EndsWith(".sock", StringComparison.Ordinal)).Select(File.ReadAllText));
        Assert.All(texts, text =>
        {
            Assert.DoesNotContain(Secret, text, StringComparison.Ordinal);
            Assert.DoesNotContain(Password, text, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void Trail_IsBounded_AndLosesTheOldestOnly()
    {
        var directory = Directory.CreateTempSubdirectory("corral-audit-");
        try
        {
            var trail = new AuditTrail(directory.FullName, "sbx-x", 64 * 1024, TimeProvider.System);
            for (var i = 0; i < 2000; i++) trail.Write([new AuditRecord { Name = "allowed.test", Rule = "domain:allowed.test", Reason = new string('x', 60) }]);
            Assert.InRange(directory.EnumerateFiles().Sum(file => file.Length), 30_000, 80_000);
            var (records, next) = trail.Read(new AuditCursor(0), 10_000, refusedOnly: false);
            Assert.Equal(2000, records[^1].Sequence);
            Assert.Equal(Enumerable.Range((int)records[0].Sequence, records.Count).Select(i => (long)i), records.Select(r => r.Sequence));
            trail.Write([new AuditRecord { Name = "next" }]);
            Assert.Equal("next", Assert.Single(trail.Read(next, 10, refusedOnly: false).Records).Name);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public void FullDisk_LosesWhatDidNotFit_AndNothingThatCameBeforeOrAfter()
    {
        lab.RequireHost();
        var directory = Directory.CreateTempSubdirectory("corral-audit-").FullName;
        Mounts.Mount("tmpfs", directory, "tmpfs", 0, "size=16k");
        try
        {
            var others = Path.Combine(directory, "others");
            File.WriteAllBytes(others, new byte[8 * 1024]);
            var trail = new AuditTrail(directory, "sbx-x", 1 << 20, TimeProvider.System);
            trail.Write([new AuditRecord { Name = "before" }]);
            Assert.ThrowsAny<IOException>(() => trail.Write([.. Enumerable.Range(0, 200).Select(_ => new AuditRecord { Name = "lost", Reason = new string('x', 60) })]));
            File.Delete(others);
            trail.Write([new AuditRecord { Name = "after" }]);
            // As it is, and as it is found after a restart.
            foreach (var found in new[] { trail, new AuditTrail(directory, "sbx-x", 1 << 20, TimeProvider.System) })
            {
                Assert.Equal(["before", "after"], found.Read(new AuditCursor(0), 1000, refusedOnly: false).Records.Select(record => record.Name));
            }
        }
        finally
        {
            Mounts.Detach(directory);
            Directory.Delete(directory);
        }
    }

    [Fact]
    public async Task FloodOfQuestions_IsOnRecordOfItsOwnBox_AndAnotherBoxLosesNothing()
    {
        var policy = TestBox.Custom("allowed.test");
        policy.Limits = new Limits { DnsQuestionsPerSecond = 10 };
        using var noisy = await lab.BoxAsync(policy);
        using var quiet = await lab.BoxAsync(TestBox.Custom("allowed.test"));
        using var socket = await noisy.Inside.SocketAsync(System.Net.Sockets.SocketType.Dgram);
        await socket.ConnectAsync(new System.Net.IPEndPoint(System.Net.IPAddress.Parse("100.64.0.1"), 53));
        var query = DnsClient.Query("evil.test", 1);
        for (var i = 0; i < 5_000; i++) await socket.SendAsync(query);
        await quiet.AskAsync("evil.test");
        await noisy.AuditOfAsync("the refusal", r => r.Reason == "TOO_MANY_QUESTIONS");
        Assert.Contains(await quiet.AuditAsync(), r => r.Name == "evil.test");
        Assert.Equal(0, (await lab.Egress.Client.ListAuditAsync(new ListAuditRequest { SandboxId = quiet.Id })).Dropped);
    }

    [Fact]
    public void Trail_TakesWhatItsSandboxMayCause_AndCountsTheRest()
    {
        var directory = Directory.CreateTempSubdirectory("corral-audit-");
        try
        {
            var trail = new AuditTrail(directory.FullName, "sbx-x", 64 * 1024, new FrozenClock());
            var taken = Enumerable.Range(0, 10_000).Count(_ => trail.TryMakeRoom());
            Assert.Equal(5000, taken);
            trail.Drop();
            Assert.Equal(1, trail.Dropped);
            trail.Begin();
            Assert.Equal(0, trail.Dropped);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task SharedService_LoggedNoError()
    {
        using var box = await lab.BoxAsync(TestBox.Custom("allowed.test"));
        Assert.Empty(lab.Egress.Errors.Errors);
    }
}
