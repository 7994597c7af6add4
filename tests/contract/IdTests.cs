using Corral.Hosting;
using Xunit;

namespace Corral.Contract.Tests;

/// <summary>Public ids.</summary>
public sealed class IdTests
{
    [Fact]
    public void AnId_IsThePrefixAndTwentySixCharactersThatBeginWithALetter()
    {
        var ids = Enumerable.Range(0, 10_000).Select(_ => Ids.New("sbx-")).ToList();

        Assert.All(ids, id => Assert.Matches("^sbx-[a-z][a-z2-7]{25}$", id));
        Assert.Equal(ids.Count, ids.Distinct().Count());
        Assert.All(ids, id => Assert.True(Ids.IsValid(id, "sbx-")));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("sbx-")]
    [InlineData("sbx-2bcdefghijklmnopqrstuvwxyz")]
    [InlineData("sbx-abcdefghijklmnopqrstuvwxy1")]
    [InlineData("SBX-abcdefghijklmnopqrstuvwxyz")]
    [InlineData("snap-abcdefghijklmnopqrstuvwxyz")]
    [InlineData("sbx-abcdefghijklmnopqrstuvwxyz-80")]
    public void WhatIsNotAnId_IsRefused(string? text) => Assert.False(Ids.IsValid(text, "sbx-"));
}
