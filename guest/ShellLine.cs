using System.Buffers;

namespace Corral.Guest;

/// <summary>
/// Shell lines that are one plain command, such as <c>ls -la src</c>: all that bash would do with such a line is to become that program.
/// Starting bash for it costs more than most programs, and on gVisor many times more.
/// </summary>
internal static class ShellLine
{
    public const string Bash = "/bin/bash";

    // No quote, expansion, pattern, redirection or operator: between spaces, each of these stands for itself.
    private static readonly SearchValues<char> Plain = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,:+@%= ");

    private static readonly string[] ChangesBash = ["BASH", "ENV", "SHELLOPTS", "POSIXLY_CORRECT"];

    // What bash does itself, or takes for grammar. Of these, true and false are programs that do the same.
    private static readonly HashSet<string> Own = new(
        (". : alias bg bind break builtin caller case cd command compgen complete compopt continue coproc declare dirs disown do done echo elif else enable " +
        "esac eval exec exit export fc fg fi for function getopts hash help history if in jobs kill let local logout mapfile popd printf pushd pwd read " +
        "readarray readonly return select set shift shopt source suspend test then time times trap type typeset ulimit umask unalias unset until wait while").Split(' '),
        StringComparer.Ordinal);

    /// <summary>How bash is started for a line.</summary>
    public static IReadOnlyList<string> OfBash(string line) => [Bash, "-c", "--", line];

    /// <summary>The words of a line that needs no shell; null for any other.</summary>
    public static IReadOnlyList<string>? TrySplit(string line, IReadOnlyDictionary<string, string> environment)
    {
        if (line.AsSpan().ContainsAnyExcept(Plain) || environment.Keys.Any(name => ChangesBash.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal))))
        {
            return null;
        }

        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words is [var program, ..] && !program.Contains('=') && !Own.Contains(program) && (program is not ("true" or "false") || words.Length == 1) ? words : null;
    }

    /// <summary>The variables that a program finds when bash has become it.</summary>
    public static IReadOnlyDictionary<string, string> EnvironmentOf(IReadOnlyDictionary<string, string> given, string directory) => new Dictionary<string, string>(given)
    {
        ["PWD"] = directory,
        ["SHLVL"] = given.GetValueOrDefault("SHLVL", "0"),
    };
}
