using Corral.Gateway.Kept;
using Corral.Gateway.Routing;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>How much is kept, and until when.</summary>
public sealed class ShelfTests
{
    private const string Ours = "org";
    private static readonly Route Get = new RouteTable().At("/v1/usage")[0];
    private static readonly Route Other = new RouteTable().At("/v1/billing")[0];

    private readonly ManualClock _clock = new();
    private readonly KeptAnswers _answers;

    public ShelfTests()
    {
        _answers = new KeptAnswers(_clock);
        _answers.Keep(true);
    }

    [Fact]
    public void AnAnswer_IsFoundByItsRouteAndItsRequest()
    {
        _answers.ShelfOf(Ours)!.Put(AskedOf(Get, "/a", ""), [1]);

        var shelf = _answers.ShelfOf(Ours)!;
        Assert.Equal([1], shelf.Find(AskedOf(Get, "/a", "")));
        Assert.Null(shelf.Find(AskedOf(Get, "/A", "")));
        Assert.Null(shelf.Find(AskedOf(Get, "/a", "?b")));
        Assert.Null(shelf.Find(AskedOf(Other, "/a", "")));
        Assert.Null(shelf.Find(AskedOf(Get, "/a", "") with { Host = "there" }));
        Assert.Null(shelf.Find(AskedOf(Get, "/a", "") with { Scheme = "https" }));
        Assert.Null(_answers.ShelfOf("another")!.Find(AskedOf(Get, "/a", "")));
    }

    [Fact]
    public void OneThatIsTooLong_OrOneTooMany_IsNotKept()
    {
        var shelf = _answers.ShelfOf(Ours)!;

        shelf.Put(AskedOf(Get, "/", ""), new byte[64 * 1024]);
        Assert.Null(shelf.Find(AskedOf(Get, "/", "")));
        for (var i = 0; i < 300; i++)
        {
            shelf.Put(AskedOf(Get, $"/{i}", ""), [1]);
        }

        Assert.Equal(256, Enumerable.Range(0, 300).Count(i => shelf.Find(AskedOf(Get, $"/{i}", "")) is not null));
    }

    [Fact]
    public void TheSameOneOverAndOver_TakesOnePlace()
    {
        var shelf = _answers.ShelfOf(Ours)!;
        for (var i = 0; i < 300; i++)
        {
            shelf.Put(AskedOf(Get, "/a", ""), [1]);
        }

        shelf.Put(AskedOf(Get, "/b", ""), [2]);

        Assert.NotNull(shelf.Find(AskedOf(Get, "/b", "")));
    }

    [Fact]
    public void AFloodOfManyOrganisations_FillsNoMoreThanThereIs_AndOnlyForASecond()
    {
        for (var organization = 0; organization < 50; organization++)
        {
            for (var i = 0; i < 256; i++)
            {
                _answers.ShelfOf($"org-{organization}")!.Put(AskedOf(Get, $"/{i}", ""), [1]);
            }
        }

        var kept = Enumerable.Range(0, 50).Sum(organization => Enumerable.Range(0, 256).Count(i => _answers.ShelfOf($"org-{organization}")!.Find(AskedOf(Get, $"/{i}", "")) is not null));
        Assert.Equal(10_000, kept);
        _clock.Advance(TimeSpan.FromSeconds(1));
        _answers.ShelfOf("late")!.Put(AskedOf(Get, "/", ""), [1]);
        Assert.NotNull(_answers.ShelfOf("late")!.Find(AskedOf(Get, "/", "")));
    }

    [Fact]
    public void LongAnswersOfMany_TakeNoMoreThan64MiB()
    {
        for (var organization = 0; organization < 10; organization++)
        {
            for (var i = 0; i < 256; i++)
            {
                _answers.ShelfOf($"org-{organization}")!.Put(AskedOf(Get, $"/{i}", ""), new byte[60 * 1024]);
            }
        }

        var kept = Enumerable.Range(0, 10).Sum(organization => Enumerable.Range(0, 256).Count(i => _answers.ShelfOf($"org-{organization}")!.Find(AskedOf(Get, $"/{i}", "")) is not null));
        Assert.InRange(kept, 1000, 64 * 1024 / 60);
    }

    [Fact]
    public void WhatIsPutAfterAChange_ByOneWhoAskedBefore_IsNotFound()
    {
        var before = _answers.ShelfOf(Ours)!;

        _answers.Forget(Ours);
        before.Put(AskedOf(Get, "/a", ""), [1]);

        Assert.Null(_answers.ShelfOf(Ours)!.Find(AskedOf(Get, "/a", "")));
    }

    [Fact]
    public void WhatIsPutLate_IsNotKeptIntoTheNextSecond()
    {
        var before = _answers.ShelfOf(Ours)!;
        _clock.Advance(TimeSpan.FromSeconds(1));
        var after = _answers.ShelfOf(Ours)!;

        before.Put(AskedOf(Get, "/a", ""), [1]);

        Assert.Null(after.Find(AskedOf(Get, "/a", "")));
        Assert.Null(_answers.ShelfOf(Ours)!.Find(AskedOf(Get, "/a", "")));
    }

    [Fact]
    public void WhileNothingIsHeard_ThereIsNoShelf_AndAfterwardsAnEmptyOne()
    {
        var before = _answers.ShelfOf(Ours)!;
        before.Put(AskedOf(Get, "/a", ""), [1]);

        _answers.Keep(false);
        var meanwhile = _answers.ShelfOf(Ours);
        _clock.Advance(TimeSpan.FromSeconds(1));
        var later = _answers.ShelfOf(Ours);
        _answers.Keep(true);

        Assert.Equal((null, null), (meanwhile, later));
        Assert.Null(_answers.ShelfOf(Ours)!.Find(AskedOf(Get, "/a", "")));
    }

    private static Asked AskedOf(Route route, string path, string query) => new(route, path, query, "http", "here");
}
