using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>Tells what lies below a directory: parents before what is in them, otherwise by name. Links are told and not followed.</summary>
internal sealed class TreeWalk
{
    private const int MaxTold = 10_000;
    private const int MaxSeen = 1_000_000;

    private readonly int _depth;
    private readonly GlobPattern? _pattern;
    private readonly List<GlobPattern> _excluded;
    private readonly EntrySender _sender;
    private int _seen;
    private int _told;
    private bool _truncated;

    private TreeWalk(GuestRequest request, int output)
    {
        _depth = request.Depth > 0 ? request.Depth : int.MaxValue;
        _pattern = request.Pattern is { } pattern ? Parse(pattern) : null;
        _excluded = [.. request.Exclude.Select(Parse)];
        _sender = new EntrySender(output);
    }

    public static void Run(GuestRequest request, FilePath path, int output)
    {
        var directory = path.Followed();
        if (!FileStatus.Of(directory.Real, follow: false).IsDirectory)
        {
            throw GuestFailure.Of(Libc.Enotdir);
        }

        var walk = new TreeWalk(request, output);
        walk.Descend(directory);
        walk._sender.Finish(walk._truncated);
    }

    private static GlobPattern Parse(string text) => GlobPattern.TryParse(text) ?? throw new GuestFailure("other", "The pattern is not one");

    // The way down is a list of its own: a tree may be deeper than the stack.
    private void Descend(FilePath root)
    {
        var waiting = new Stack<(FilePath Path, string Relative, int Depth)>();
        foreach (var name in Names(root))
        {
            waiting.Push((root.Entry(name), name, 1));
        }

        while (waiting.TryPop(out var next) && !_truncated)
        {
            // Deleted meanwhile, if it is not there.
            if (IsExcluded(next.Path.Name, next.Relative) || FileStatus.TryOf(next.Path.Real, follow: false) is not { } status)
            {
                continue;
            }

            Tell(next.Path, next.Relative, status);
            if (status.IsDirectory && next.Depth < _depth)
            {
                foreach (var name in Names(next.Path))
                {
                    waiting.Push((next.Path.Entry(name), $"{next.Relative}/{name}", next.Depth + 1));
                }
            }
        }
    }

    private void Tell(FilePath path, string relative, FileStatus status)
    {
        if (_pattern?.Matches(relative) == false)
        {
            return;
        }

        if (_told == MaxTold)
        {
            _truncated = true;
            return;
        }

        _told++;
        _sender.Add(FileOperations.Describe(path, status));
    }

    private bool IsExcluded(string name, string relative) => _excluded.Exists(pattern => pattern.Matches(pattern.IsName ? name : relative));

    // The last first, because a stack turns them round.
    private List<string> Names(FilePath directory)
    {
        try
        {
            var names = Directory.EnumerateFileSystemEntries(directory.Real).Take(MaxSeen - _seen + 1).Select(path => Path.GetFileName(path)!).ToList();
            _seen += names.Count;
            _truncated |= _seen > MaxSeen;
            names.Sort((a, b) => StringComparer.Ordinal.Compare(b, a));
            return names;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Not to be read, or gone.
            return [];
        }
    }
}
