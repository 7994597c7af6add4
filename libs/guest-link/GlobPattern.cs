namespace Corral.GuestLink;

/// <summary>
/// A pattern of paths: <c>*</c> and <c>?</c> stand for characters other than <c>/</c>, <c>[…]</c> for one of a set, <c>{a,b}</c> for either, and a part
/// that is <c>**</c> for any number of directories, none included.
/// </summary>
/// <remarks>Takes time in proportion to pattern times path, whatever they are: the last star alone is ever tried again.</remarks>
public sealed class GlobPattern
{
    /// <summary>The longest pattern, in characters.</summary>
    public const int MaxLength = 1024;

    private const int MaxAlternatives = 64;
    private const string AnyDirectories = "**";

    private readonly string[][] _alternatives;

    private GlobPattern(IEnumerable<string> alternatives) =>
        _alternatives = [.. alternatives.Select(text => text.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(part => part != ".").ToArray())];

    /// <summary>Whether it speaks of names alone, wherever they stand.</summary>
    public bool IsName => _alternatives.All(parts => parts.Length == 1 && parts[0] != AnyDirectories);

    /// <summary>Reads a pattern; null for one that is empty, too long, or stands for too many others.</summary>
    public static GlobPattern? TryParse(string text)
    {
        if (text.Length is 0 or > MaxLength)
        {
            return null;
        }

        var alternatives = new List<string>();
        return Expand(text, alternatives) ? new GlobPattern(alternatives) : null;
    }

    /// <summary>Whether the whole of a relative path matches.</summary>
    public bool Matches(string path)
    {
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        return _alternatives.Any(alternative => Matches(alternative, parts));
    }

    // The first pair of braces with a comma in it becomes one text for each alternative, and those are looked at again.
    private static bool Expand(string text, List<string> alternatives)
    {
        if (FirstBraces(text) is not var (open, commas, close))
        {
            alternatives.Add(text);
            return alternatives.Count <= MaxAlternatives;
        }

        var from = open + 1;
        foreach (var end in commas.Append(close))
        {
            if (!Expand(string.Concat(text.AsSpan(0, open), text.AsSpan(from, end - from), text.AsSpan(close + 1)), alternatives))
            {
                return false;
            }

            from = end + 1;
        }

        return true;
    }

    private static (int Open, List<int> Commas, int Close)? FirstBraces(string text)
    {
        for (var open = text.IndexOf('{', StringComparison.Ordinal); open >= 0; open = text.IndexOf('{', open + 1))
        {
            var depth = 0;
            var commas = new List<int>();
            for (var i = open; i < text.Length; i++)
            {
                depth += text[i] switch { '{' => 1, '}' => -1, _ => 0 };
                if (depth == 0)
                {
                    if (commas.Count > 0)
                    {
                        return (open, commas, i);
                    }

                    break;
                }

                if (text[i] == ',' && depth == 1)
                {
                    commas.Add(i);
                }
            }
        }

        return null;
    }

    private static bool Matches(string[] pattern, string[] path)
    {
        var (at, star, mark) = (0, -1, 0);
        for (var i = 0; i < path.Length;)
        {
            if (at < pattern.Length && pattern[at] == AnyDirectories)
            {
                (star, mark) = (at++, i);
            }
            else if (at < pattern.Length && MatchesName(pattern[at], path[i]))
            {
                at++;
                i++;
            }
            else if (star >= 0)
            {
                (at, i) = (star + 1, ++mark);
            }
            else
            {
                return false;
            }
        }

        return pattern.AsSpan(at).IndexOfAnyExcept(AnyDirectories) < 0;
    }

    private static bool MatchesName(string pattern, string name)
    {
        var (at, star, mark) = (0, -1, 0);
        for (var i = 0; i < name.Length;)
        {
            if (at < pattern.Length && pattern[at] == '*')
            {
                (star, mark) = (at++, i);
            }
            else if (at < pattern.Length && MatchesOne(pattern, at, name[i]) is > 0 and var length)
            {
                at += length;
                i++;
            }
            else if (star >= 0)
            {
                (at, i) = (star + 1, ++mark);
            }
            else
            {
                return false;
            }
        }

        return pattern.AsSpan(at).IndexOfAnyExcept('*') < 0;
    }

    // How much of the pattern stands for this character; 0 when it does not.
    private static int MatchesOne(string pattern, int at, char character)
    {
        switch (pattern[at])
        {
            case '?':
                return 1;
            case '\\' when at + 1 < pattern.Length:
                return pattern[at + 1] == character ? 2 : 0;
            case '[' when EndOfSet(pattern, at) is > 0 and var end:
                return IsInSet(pattern.AsSpan(at + 1, end - at - 1), character) ? end - at + 1 : 0;
            default:
                return pattern[at] == character ? 1 : 0;
        }
    }

    // A bracket that comes first belongs to the set.
    private static int EndOfSet(string pattern, int open)
    {
        var first = open + 1 < pattern.Length && (pattern[open + 1] is '!' or '^') ? open + 2 : open + 1;
        return first + 1 < pattern.Length ? pattern.IndexOf(']', first + 1) : -1;
    }

    private static bool IsInSet(ReadOnlySpan<char> set, char character)
    {
        var negated = set[0] is '!' or '^';
        set = negated ? set[1..] : set;
        for (var i = 0; i < set.Length; i++)
        {
            var isRange = i + 2 < set.Length && set[i + 1] == '-';
            if (character >= set[i] && character <= set[isRange ? i + 2 : i])
            {
                return !negated;
            }

            i += isRange ? 2 : 0;
        }

        return negated;
    }
}
