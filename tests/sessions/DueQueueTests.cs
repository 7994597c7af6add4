using Corral.Sessions.Lifecycle;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>What is due, and who has it.</summary>
public sealed class DueQueueTests : SessionsTest
{
    [Fact]
    public async Task WhatIsDue_IsTakenOnceByOneReplica()
    {
        var two = NewReplica();
        await Task.WhenAll(Enumerable.Range(0, 100).Select(i => One.Due.KeepAsync("org", $"sbx-{i}", TimeSpan.Zero)));

        var taken = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => (i % 2 == 0 ? One : two).Due.TakeAsync(5)));

        Assert.Equal(Enumerable.Range(0, 100).Select(i => ("org", $"sbx-{i}")).Order(), taken.SelectMany(t => t).Order());
    }

    [Fact]
    public async Task WhatIsNotYetDue_IsNotTaken()
    {
        await One.Due.KeepAsync("org", "sbx-a", TimeSpan.FromSeconds(5));
        Clock.Now += TimeSpan.FromMilliseconds(4_999);
        Assert.Empty(await One.Due.TakeAsync(10));

        Clock.Now += TimeSpan.FromMilliseconds(1);

        Assert.Equal([("org", "sbx-a")], await One.Due.TakeAsync(10));
    }

    [Fact]
    public async Task WhatAReplicaTookAndDropped_AnotherTakesWhenTheLeaseIsOver()
    {
        var two = NewReplica();
        await One.Due.KeepAsync("org", "sbx-a", TimeSpan.Zero);
        await One.Due.TakeAsync(10);
        await One.KillAsync();
        Clock.Now += DueQueue.Lease - TimeSpan.FromMilliseconds(1);
        Assert.Empty(await two.Due.TakeAsync(10));

        Clock.Now += TimeSpan.FromMilliseconds(1);

        Assert.Equal([("org", "sbx-a")], await two.Due.TakeAsync(10));
    }

    [Fact]
    public async Task WhatIsForgotten_IsNeverTaken()
    {
        await One.Due.KeepAsync("org", "sbx-a", TimeSpan.Zero);
        await One.Due.ForgetAsync("org", "sbx-a");

        Assert.Empty(await One.Due.TakeAsync(10));
    }

    [Fact]
    public async Task WhatIsDueLongest_IsTakenFirst()
    {
        await One.Due.KeepAsync("org", "late", TimeSpan.FromSeconds(-1));
        await One.Due.KeepAsync("org", "latest", TimeSpan.FromSeconds(-2));

        Assert.Equal([("org", "latest")], await One.Due.TakeAsync(1));
    }

    [Fact]
    public async Task WhatRests_IsDueWhenItSaid_OrNever()
    {
        await One.Due.AnnounceAsync("org", "soon", 3);
        await One.Due.AnnounceAsync("org", "never", 3);

        await One.Due.RestAsync("org", "soon", 3, Clock.Now + TimeSpan.FromHours(1));
        await One.Due.RestAsync("org", "never", 3, null);
        Clock.Now += TimeSpan.FromHours(1);

        Assert.Equal([("org", "soon")], await One.Due.TakeAsync(10));
    }

    [Fact]
    public async Task WhatSawAnOlderVersion_PutsNothingOff()
    {
        await One.Due.AnnounceAsync("org", "sbx-a", 4);

        await One.Due.RestAsync("org", "sbx-a", 3, null);
        await One.Due.RestAsync("org", "sbx-a", 3, Clock.Now + TimeSpan.FromHours(1));
        Clock.Now += DueQueue.Lease;

        Assert.Equal([("org", "sbx-a")], await One.Due.TakeAsync(10));
    }

    [Fact]
    public async Task AnAnnouncementThatNothingCameOf_IsOverWithItsLease()
    {
        await One.Due.AnnounceAsync("org", "sbx-a", 4);
        Clock.Now += DueQueue.Lease;
        await One.Due.TakeAsync(10);

        await One.Due.RestAsync("org", "sbx-a", 3, null);
        Clock.Now += TimeSpan.FromDays(1);

        Assert.Empty(await One.Due.TakeAsync(10));
    }
}
