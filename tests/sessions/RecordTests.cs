using System.Text;
using Corral.Api.V1;
using Corral.Sessions.Creating;
using Corral.Sessions.Records;
using StackExchange.Redis;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>Records in Redis: compare and set, and what must hold after every write.</summary>
public sealed class RecordTests : SessionsTest
{
    private static readonly PlanLimits Roomy = new() { ConcurrentSandboxes = 1000, MaxDuration = TimeSpan.FromHours(1), HoursPerMonth = 1000 };

    [Fact]
    public async Task ARecord_IsReadBackAsItWasWritten()
    {
        var bare = Record("sbx-bare");
        var full = Record("sbx-full") with
        {
            SealedEnv = [1, 2],
            Capabilities = [3],
            EnvNames = ["A"],
            ExcludedNodes = ["n"],
            NodeId = "n",
            NodeAddress = "unix:/n",
            Attempts = 2,
            Generation = 3,
            StartedAt = Clock.Now,
            ExpiresAt = Clock.Now,
            EndAskedAt = Clock.Now,
            EndedAt = Clock.Now,
            FailureReason = "f",
            EndReason = "e",
            CleanedUp = true,
            Ephemeral = false,
        };

        foreach (var record in new[] { bare, full })
        {
            await One.Store.CreateAsync(record, Roomy, "", []);
            Assert.Equivalent(record, (await One.Store.FindAsync("org", record.Id))!.Record, strict: true);
        }
    }

    [Fact]
    public async Task OfManyWritersThatSawTheSameVersion_ExactlyOneWins()
    {
        var seen = await WriteAsync(Record("sbx-a"));

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => One.Store.SaveAsync(seen, seen.Record with { Attempts = i + 1 })));

        Assert.Single(outcomes, won => won);
        Assert.Equal(2, (await One.Store.FindAsync("org", "sbx-a"))!.Version);
        Assert.Equal(["created"], await EventsAsync("sbx-a"));
    }

    [Fact]
    public async Task ALateWriter_ChangesNothing()
    {
        var seen = await WriteAsync(Record("sbx-a"));
        Assert.True(await One.Store.SaveAsync(seen, seen.Record with { State = SandboxState.Ending }));

        Assert.False(await One.Store.SaveAsync(seen, seen.Record with { State = SandboxState.Assigning }));

        Assert.Equal(SandboxState.Ending, (await One.Store.FindAsync("org", "sbx-a"))!.Record.State);
    }

    [Fact]
    public async Task Time_IsMeteredOnceByTheChangeThatEndsIt()
    {
        var seen = await WriteAsync(Record("sbx-a"));
        var running = seen.Record with { State = SandboxState.Ready, StartedAt = Clock.Now };
        await One.Store.SaveAsync(seen, running);
        Clock.Now += TimeSpan.FromMilliseconds(90_001);
        var ended = running with { State = SandboxState.Ended, EndedAt = Clock.Now };
        var version = (await One.Store.FindAsync("org", "sbx-a"))!;

        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => One.Store.SaveAsync(version, ended)));
        Clock.Now += TimeSpan.FromHours(1);
        await One.Store.SaveAsync((await One.Store.FindAsync("org", "sbx-a"))!, ended with { CleanedUp = true });

        Assert.Equal(90_001, await MeteredAsync());
    }

    [Fact]
    public async Task WhatNeverRan_CostsNothing()
    {
        var seen = await WriteAsync(Record("sbx-a"));
        Clock.Now += TimeSpan.FromHours(1);

        await One.Store.SaveAsync(seen, seen.Record with { State = SandboxState.Ended, EndedAt = Clock.Now });

        Assert.Equal(0, await MeteredAsync());
    }

    [Fact]
    public async Task AfterAnyHistory_TheLiveSetIsWhatCounts_AndTheEventsAreWhatHappened()
    {
        var random = new Random(20260101);
        var told = new Dictionary<string, List<string>>();
        for (var i = 0; i < 30; i++)
        {
            var seen = await WriteAsync(Record($"sbx-{i}"));
            told[seen.Record.Id] = ["created"];
            for (var step = 0; step < 8; step++)
            {
                var happened = (SandboxEvent)random.Next(Enum.GetValues<SandboxEvent>().Length);
                if (SandboxMachine.Next(seen.Record.State, happened) is { } next)
                {
                    await One.Store.SaveAsync(seen, seen.Record with { State = next });
                    told[seen.Record.Id].AddRange(Named(seen.Record.State, next));
                    seen = (await One.Store.FindAsync("org", seen.Record.Id))!;
                }
            }
        }

        var found = await Task.WhenAll(Enumerable.Range(0, 30).Select(i => One.Store.FindAsync("org", $"sbx-{i}")));
        var index = await RedisAsync(db => db.SortedSetRangeByRankAsync("{org}:index"));

        Assert.Equal(found.Where(f => !f!.Record.IsOver).Select(f => f!.Record.Id).Order(), (await LiveAsync()).Order());
        Assert.Equal(found.Select(f => f!.Record.Id).Order(), index.Select(v => v.ToString()).Order());
        foreach (var (id, names) in told)
        {
            Assert.Equal(names, await EventsAsync(id));
        }
    }

    private static string[] Named(SandboxState from, SandboxState to) => (from, to) switch
    {
        (SandboxState.Active, SandboxState.Ready) or (_, SandboxState.Active or SandboxState.Queued) => [],
        _ => [to == SandboxState.Assigning ? "assigned" : to.ToString().ToLowerInvariant()],
    };

    [Fact]
    public async Task AnEndedRecord_IsKeptForThirtyDays_AndALivingOneForEver()
    {
        var seen = await WriteAsync(Record("sbx-a"));
        Assert.Null(await RedisAsync(db => db.KeyTimeToLiveAsync("{org}:sbx:sbx-a")));

        await One.Store.SaveAsync(seen, seen.Record with { State = SandboxState.Ended, EndedAt = Clock.Now, CleanedUp = true });

        var left = await RedisAsync(db => db.KeyTimeToLiveAsync("{org}:sbx:sbx-a"));
        Assert.InRange(left!.Value, TimeSpan.FromDays(29.9), TimeSpan.FromDays(30));
    }

    [Fact]
    public async Task AnEnvironment_IsNowhereInRedisInPlainText_AndGoneAtTheEnd()
    {
        const string Secret = "sk_live_do-not-write-me-down";
        var created = await One.CreateAsync(new CreateRequest { RequestId = "r", Env = { ["API_KEY"] = Secret } });
        await One.UntilAsync(created.Id, SandboxState.Ready);
        Assert.Equal(Secret, Fleet.Nodes[0].Environment["API_KEY"]);
        Assert.DoesNotContain(Secret, await DumpAsync(), StringComparison.Ordinal);

        await One.Ender.EndAsync("org", created.Id, "client");
        var ended = await One.UntilAsync(created.Id, SandboxState.Ended);

        Assert.Null(ended.SealedEnv);
        Assert.Equal(["API_KEY"], ended.EnvNames);
        Assert.DoesNotContain(Secret, await DumpAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public void ASealedEnvironment_OpensOnlyForItsSandbox_AndOnlyWhole()
    {
        var secrets = new Secrets();
        var box = secrets.Seal("sbx-a", new Dictionary<string, string> { ["A"] = "1" })!;

        Assert.Equal("1", secrets.Open("sbx-a", box)!["A"]);
        Assert.Null(secrets.Open("sbx-b", box));
        for (var i = 0; i < box.Length; i++)
        {
            var bent = (byte[])box.Clone();
            bent[i] ^= 1;
            Assert.Null(secrets.Open("sbx-a", bent));
        }
    }

    [Fact]
    public async Task Pages_NameEverySandboxOnce_EvenThoseOfTheSameMillisecond()
    {
        foreach (var i in Enumerable.Range(0, 25))
        {
            await WriteAsync(Record($"sbx-{i:00}"));
        }

        var named = new List<string>();
        var after = "";
        while ((await One.Store.ListAsync("org", after, 10)) is { Ids: { Count: > 0 } page } answer)
        {
            Assert.Equal(25, answer.Total);
            named.AddRange(page);
            after = page[^1];
        }

        Assert.Equal(25, named.Count);
        Assert.Equal(25, named.Distinct().Count());
        Assert.Null(await One.Store.ListAsync("org", "sbx-of-nobody", 10));
    }

    private SandboxRecord Record(string id) => new()
    {
        Id = id,
        Organization = "org",
        State = SandboxState.Queued,
        Runtime = "bun",
        Size = "standard",
        MaxDurationMs = 60_000,
        CreatedAt = Clock.Now,
    };

    private async Task<Versioned> WriteAsync(SandboxRecord record)
    {
        Assert.Equal(SaveStatus.Saved, (await One.Store.CreateAsync(record, Roomy, "", [])).Status);
        return (await One.Store.FindAsync(record.Organization, record.Id))!;
    }

    // Everything that Redis holds, as it would lie on its disk.
    private Task<string> DumpAsync() => RedisAsync(async db =>
    {
        var all = new StringBuilder();
        foreach (var key in (RedisResult[])(await db.ExecuteAsync("KEYS", "*"))!)
        {
            // Null for one that is gone by now.
            all.Append((string)key!).Append('=').Append(Encoding.Latin1.GetString(await db.KeyDumpAsync((string)key!) ?? [])).Append('\n');
            all.Append(await TextAsync(db, (string)key!)).Append('\n');
        }

        return all.ToString();
    });

    private static async Task<string> TextAsync(IDatabase db, string key) => await db.KeyTypeAsync(key) switch
    {
        RedisType.None => "",
        RedisType.String => (await db.StringGetAsync(key)).ToString(),
        RedisType.Hash => string.Join(' ', (await db.HashGetAllAsync(key)).Select(e => $"{e.Name} {e.Value}")),
        RedisType.Set => string.Join(' ', await db.SetMembersAsync(key)),
        RedisType.SortedSet => string.Join(' ', await db.SortedSetRangeByRankAsync(key)),
        RedisType.Stream => string.Join(' ', (await db.StreamRangeAsync(key)).SelectMany(e => e.Values).Select(v => $"{v.Name} {v.Value}")),
        var other => throw new InvalidOperationException($"{key} is a {other}."),
    };
}
