using System.Globalization;
using System.Text;

namespace Corral.NodeAgent.Files;

/// <summary>What changed between two texts, as a unified diff with three lines of context.</summary>
/// <remarks>Myers' greedy algorithm ("An O(ND) Difference Algorithm", 1986), up to a number of differences: beyond it the whole middle is told as changed. Of very many lines, only that they changed is told.</remarks>
internal static class UnifiedDiff
{
    private const int Context = 3;
    private const int MaxDifferences = 1000;
    private const int MaxLines = 100_000;

    public static string Of(string path, string before, string after)
    {
        if (before == after)
        {
            return "";
        }

        var (head, tail) = Alike(before, after);
        var changed = before.AsSpan()[head..^tail];
        var into = after.AsSpan()[head..^tail];
        var text = new StringBuilder().Append("--- ").Append(path).Append("\n+++ ").Append(path).Append('\n');
        if (changed.Count('\n') + into.Count('\n') > MaxLines)
        {
            return text.ToString();
        }

        var (old, now, above) = (Lines(changed), Lines(into), before.AsSpan(0, head).Count('\n'));
        foreach (var hunk in Hunks(Changes(old, now)))
        {
            Append(text, hunk, old, now, above);
        }

        return text.ToString();
    }

    // So many characters are the same above and below all changes and their context, in whole lines: of a long file, few become lines.
    private static (int Head, int Tail) Alike(string before, string after)
    {
        var head = before.AsSpan().CommonPrefixLength(after);
        var most = Math.Min(before.Length, after.Length) - head;
        var tail = 0;
        while (tail < most && before[^(tail + 1)] == after[^(tail + 1)])
        {
            tail++;
        }

        // To the bound of the line that is the same in part only, then further by the context.
        for (var lines = 0; lines <= Context && head >= 0; lines++)
        {
            head = before.AsSpan(0, head).LastIndexOf('\n');
        }

        for (var lines = 0; lines <= Context && tail > 0; lines++)
        {
            var end = before.AsSpan()[^tail..].IndexOf('\n');
            tail = end < 0 ? 0 : tail - end - 1;
        }

        return (head + 1, tail);
    }

    // Each line with its end, so that a missing last one shows.
    private static string[] Lines(ReadOnlySpan<char> text)
    {
        var lines = new List<string>();
        while (!text.IsEmpty)
        {
            var end = text.IndexOf('\n');
            var next = end < 0 ? text.Length : end + 1;
            lines.Add(text[..next].ToString());
            text = text[next..];
        }

        return [.. lines];
    }

    private static List<Change> Changes(string[] old, string[] now)
    {
        var shorter = Math.Min(old.Length, now.Length);
        var head = old.AsSpan().CommonPrefixLength(now);
        var tail = 0;
        while (tail < shorter - head && old[^(tail + 1)] == now[^(tail + 1)])
        {
            tail++;
        }

        return Differences(old[head..^tail], now[head..^tail]).ConvertAll(change => change with { Old = change.Old + head, New = change.New + head });
    }

    private static List<Change> Differences(string[] old, string[] now)
    {
        var all = old.Length + now.Length;
        var reach = new int[(2 * Math.Min(all, MaxDifferences)) + 3];
        var middle = reach.Length / 2;
        var trace = new List<int[]>();
        for (var distance = 0; distance <= Math.Min(all, MaxDifferences); distance++)
        {
            trace.Add(reach[(middle - distance)..(middle + distance + 1)]);
            for (var diagonal = -distance; diagonal <= distance; diagonal += 2)
            {
                var x = diagonal == -distance || (diagonal != distance && reach[middle + diagonal - 1] < reach[middle + diagonal + 1])
                    ? reach[middle + diagonal + 1]
                    : reach[middle + diagonal - 1] + 1;
                while (x < old.Length && x - diagonal < now.Length && old[x] == now[x - diagonal])
                {
                    x++;
                }

                reach[middle + diagonal] = x;
                if (x >= old.Length && x - diagonal >= now.Length)
                {
                    return Backtrack(trace, old.Length, now.Length);
                }
            }
        }

        return [new Change(0, old.Length, 0, now.Length)];
    }

    // trace[d] is what was reached before distance d, on the diagonals -d to d.
    private static List<Change> Backtrack(List<int[]> trace, int x, int y)
    {
        var changes = new List<Change>();
        for (var distance = trace.Count - 1; distance > 0; distance--)
        {
            var reach = trace[distance];
            var diagonal = x - y;
            var down = diagonal == -distance || (diagonal != distance && reach[diagonal - 1 + distance] < reach[diagonal + 1 + distance]);
            var from = down ? diagonal + 1 : diagonal - 1;
            x = reach[from + distance];
            y = x - from;
            changes.Add(down ? new Change(x, 0, y, 1) : new Change(x, 1, y, 0));
        }

        changes.Reverse();
        return Join(changes);
    }

    private static List<Change> Join(List<Change> changes)
    {
        var joined = new List<Change>();
        foreach (var change in changes)
        {
            if (joined is [.., var last] && last.Old + last.Removed == change.Old && last.New + last.Added == change.New)
            {
                joined[^1] = last with { Removed = last.Removed + change.Removed, Added = last.Added + change.Added };
            }
            else
            {
                joined.Add(change);
            }
        }

        return joined;
    }

    // Changes whose contexts touch are told together.
    private static IEnumerable<List<Change>> Hunks(List<Change> changes)
    {
        var hunk = new List<Change>();
        foreach (var change in changes)
        {
            if (hunk is [.., var last] && change.Old - (last.Old + last.Removed) > 2 * Context)
            {
                yield return hunk;
                hunk = [];
            }

            hunk.Add(change);
        }

        yield return hunk;
    }

    private static void Append(StringBuilder text, List<Change> hunk, string[] old, string[] now, int above)
    {
        var (first, last) = (hunk[0], hunk[^1]);
        var before = Math.Min(Context, first.Old);
        var after = Math.Min(Context, old.Length - last.Old - last.Removed);
        var (oldFrom, newFrom) = (first.Old - before, first.New - before);
        var (oldCount, newCount) = (last.Old + last.Removed + after - oldFrom, last.New + last.Added + after - newFrom);
        text.Append("@@ -").Append(Span(above + oldFrom, oldCount)).Append(" +").Append(Span(above + newFrom, newCount)).Append(" @@\n");
        var at = oldFrom;
        foreach (var change in hunk)
        {
            Append(text, ' ', old.AsSpan(at..change.Old));
            Append(text, '-', old.AsSpan(change.Old, change.Removed));
            Append(text, '+', now.AsSpan(change.New, change.Added));
            at = change.Old + change.Removed;
        }

        Append(text, ' ', old.AsSpan(at, after));
    }

    private static void Append(StringBuilder text, char sign, ReadOnlySpan<string> lines)
    {
        foreach (var line in lines)
        {
            text.Append(sign).Append(line);
            if (!line.EndsWith('\n'))
            {
                text.Append("\n\\ No newline at end of file\n");
            }
        }
    }

    // An empty span stands after the line that it names.
    private static string Span(int from, int count) =>
        string.Create(CultureInfo.InvariantCulture, $"{(count == 0 ? from : from + 1)}{(count == 1 ? "" : "," + count.ToString(CultureInfo.InvariantCulture))}");

    private readonly record struct Change(int Old, int Removed, int New, int Added);
}
