using Corral.Api.V1;
using Corral.Hosting;
using Corral.NodeAgent.Files;
using Grpc.Core;
using Xunit;

namespace Corral.NodeAgent.Tests;

/// <summary>Replacing texts, and telling what changed.</summary>
public sealed class TextEditTests
{
    [Fact]
    public void Apply_Edits_OneAfterTheOther()
    {
        Assert.Equal(("ccc", 3), TextEdits.Apply("aba", [Edit("a", "b"), Edit("bbb", "ccc")]));
    }

    [Fact]
    public void Apply_TextThatIsNowhere_ChangesNothingAndIsNamed()
    {
        var error = RpcErrors.Read(Assert.Throws<RpcException>(() => TextEdits.Apply("aba", [Edit("a", "c"), Edit("a", "d")])));
        Assert.Equal(("edits[1].find", "stands nowhere in the file"), (error.Violations[0].Field, error.Violations[0].Description));
    }

    [Fact]
    public void Apply_ThatWouldExplode_IsRefusedBefore()
    {
        var error = Assert.Throws<RpcException>(() => TextEdits.Apply(new string('a', 1 << 20), [Edit("a", new string('b', 1 << 20))]));
        Assert.Equal("FILE_TOO_LARGE", RpcErrors.Read(error).Reason);
    }

    [Fact]
    public void Diff_TwoPlaces_AreTwoHunks()
    {
        var before = string.Concat(Enumerable.Range(1, 20).Select(i => $"{i}\n"));
        var after = before.Replace("\n2\n", "\ntwo\n", StringComparison.Ordinal).Replace("19\n", "", StringComparison.Ordinal);
        Assert.Equal(
            "--- /f\n+++ /f\n@@ -1,5 +1,5 @@\n 1\n-2\n+two\n 3\n 4\n 5\n@@ -16,5 +16,4 @@\n 16\n 17\n 18\n-19\n 20\n",
            UnifiedDiff.Of("/f", before, after));
    }

    [Theory]
    [InlineData("a\nb\n", "a\nb\n", "")]
    [InlineData("a", "b", "--- /f\n+++ /f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n")]
    [InlineData("", "a\n", "--- /f\n+++ /f\n@@ -0,0 +1 @@\n+a\n")]
    [InlineData("a\n", "", "--- /f\n+++ /f\n@@ -1 +0,0 @@\n-a\n")]
    public void Diff_Small_IsExact(string before, string after, string diff) => Assert.Equal(diff, UnifiedDiff.Of("/f", before, after));

    [Fact]
    public void Diff_OfAnything_LeadsFromOneToTheOther()
    {
        var random = new Random(20260301);
        for (var round = 0; round < 500; round++)
        {
            var before = Text(random);
            var after = Text(random);
            Assert.Equal(after, Patched(before, UnifiedDiff.Of("/f", before, after)));
        }
    }

    [Fact]
    public void Diff_OfTwoLongStrangers_IsOneChange()
    {
        var before = string.Concat(Enumerable.Range(0, 5000).Select(i => $"a{i}\n"));
        var after = string.Concat(Enumerable.Range(0, 5000).Select(i => $"b{i}\n"));
        Assert.StartsWith("--- /f\n+++ /f\n@@ -1,5000 +1,5000 @@\n-a0\n", UnifiedDiff.Of("/f", before, after), StringComparison.Ordinal);
    }

    [Fact]
    public void Diff_InALongFile_TakesLittleAndNamesTheLine()
    {
        const int Above = 5_000_000;
        var before = new string('\n', TextEdits.MaxLength);
        var after = before.Insert(Above, "x");
        var allocated = GC.GetAllocatedBytesForCurrentThread();

        var diff = UnifiedDiff.Of("/f", before, after);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - allocated, 1, 1 << 20);
        Assert.Equal($"--- /f\n+++ /f\n@@ -{Above - 2},7 +{Above - 2},7 @@\n \n \n \n-\n+x\n \n \n \n", diff);
    }

    [Fact]
    public void Diff_OfVeryManyLines_SaysThatTheyChangedOnly()
    {
        var before = new string('\n', 100_000);
        Assert.Equal("--- /f\n+++ /f\n", UnifiedDiff.Of("/f", before, before.Replace("\n", "x\n", StringComparison.Ordinal)));
    }

    private static TextEdit Edit(string find, string replace) => new() { Find = find, Replace = replace };

    private static string Text(Random random) => string.Concat(Enumerable.Range(0, random.Next(0, 40)).Select(_ => $"{random.Next(0, 4)}\n"));

    // What patch(1) does with exact contexts.
    private static string Patched(string before, string diff)
    {
        var old = before.Split('\n')[..^1];
        var result = new List<string>();
        var at = 0;
        foreach (var line in diff.Split('\n').Skip(2).Where(line => line.Length > 0))
        {
            switch (line[0])
            {
                case '@':
                    var (from, count) = Span(line.Split(' ')[1]);
                    var start = count == 0 ? from : from - 1;
                    result.AddRange(old[at..start]);
                    at = start;
                    break;
                case '+':
                    result.Add(line[1..]);
                    break;
                default:
                    Assert.Equal(old[at++], line[1..]);
                    if (line[0] == ' ') result.Add(line[1..]);
                    break;
            }
        }

        result.AddRange(old[at..]);
        return string.Concat(result.Select(line => line + "\n"));
    }

    private static (int From, int Count) Span(string text)
    {
        var parts = text[1..].Split(',');
        return (int.Parse(parts[0]), parts.Length > 1 ? int.Parse(parts[1]) : 1);
    }
}
