using Corral.GuestLink;
using Xunit;

namespace Corral.NodeAgent.Tests;

/// <summary>Patterns of paths.</summary>
public sealed class GlobPatternTests
{
    [Theory]
    [InlineData("*", "a", true)]
    [InlineData("*", "a/b", false)]
    [InlineData("*.py", "a.py", true)]
    [InlineData("*.py", "a.pyc", false)]
    [InlineData("*.py", "src/a.py", false)]
    [InlineData("**/*.py", "a.py", true)]
    [InlineData("**/*.py", "a/b/c.py", true)]
    [InlineData("src/**", "src", true)]
    [InlineData("src/**", "src/a/b", true)]
    [InlineData("src/**/test_?.py", "src/x/y/test_1.py", true)]
    [InlineData("src/**/test_?.py", "src/test_10.py", false)]
    [InlineData("**/node_modules/**", "a/node_modules/b/c", true)]
    [InlineData("**/node_modules/**", "a/node_module/b", false)]
    [InlineData("**/a/**/b", "a/x/a/b", true)]
    [InlineData("[abc]?", "b1", true)]
    [InlineData("[!abc]", "b", false)]
    [InlineData("[a-c]", "b", true)]
    [InlineData("[a-c]", "d", false)]
    [InlineData("[]a]", "]", true)]
    [InlineData("[", "[", true)]
    [InlineData("a\\*", "a*", true)]
    [InlineData("a\\*", "ab", false)]
    [InlineData("*.{ts,tsx}", "a.tsx", true)]
    [InlineData("*.{ts,tsx}", "a.js", false)]
    [InlineData("{a,b{c,d}}", "bd", true)]
    [InlineData("{a}", "{a}", true)]
    [InlineData("./src/", "src", true)]
    public void Matches_Path_AsAShellDoes(string pattern, string path, bool matches) =>
        Assert.Equal(matches, GlobPattern.TryParse(pattern)!.Matches(path));

    [Theory]
    [InlineData("")]
    [InlineData("{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}")]
    public void TryParse_NothingOrTooMany_IsRefused(string pattern) => Assert.Null(GlobPattern.TryParse(pattern));

    [Fact]
    public void Matches_ManyStars_TakesNoTime()
    {
        var pattern = GlobPattern.TryParse(string.Concat(Enumerable.Repeat("*a", 500)) + "b")!;
        Assert.False(pattern.Matches(new string('a', 4000)));
        var deep = GlobPattern.TryParse(string.Concat(Enumerable.Repeat("**/a/", 200)) + "b")!;
        Assert.False(deep.Matches(string.Join('/', Enumerable.Repeat("a", 2000))));
    }
}
