using System.Text.Json.Serialization;

namespace Corral.GuestLink;

/// <summary>Kinds of frame. A frame is its kind (1 byte), its length (4 bytes, little endian) and at most <see cref="MaxPayload"/> bytes.</summary>
public static class Frame
{
    /// <summary>The longest payload, in bytes.</summary>
    public const int MaxPayload = 64 * 1024;

    /// <summary>The longest request, in bytes.</summary>
    public const int MaxRequest = 512 * 1024;

    /// <summary>Bytes of a frame's kind and length.</summary>
    public const int HeaderLength = 5;

    /// <summary>Bytes of the token that opens a connection.</summary>
    public const int TokenLength = 32;

    // From the guest.
    public const byte Stdout = 1;
    public const byte Stderr = 2;
    public const byte Exit = 3;
    public const byte Error = 4;
    public const byte Result = 5;
    public const byte Data = 6;
    public const byte Changes = 7;

    /// <summary>Of a run: where its output goes on from, before anything else.</summary>
    public const byte Attached = 8;

    /// <summary>Of a run: the client was too slow, and its output goes on from here.</summary>
    public const byte Skipped = 9;

    /// <summary>Of a run: the terminal's new size, as <see cref="Resize"/>.</summary>
    public const byte Resized = 10;

    // To the guest.
    public const byte Stdin = 16;
    public const byte CloseStdin = 17;
    public const byte Signal = 18;
    public const byte Resize = 19;
    public const byte End = 20;

    /// <summary>What is asked. The first frame of a connection, and, where the answer to one was a single frame or an exit, the next.</summary>
    public const byte Request = 21;
}

/// <summary>What is asked of a guest.</summary>
public sealed record GuestRequest
{
    /// <summary>ping, configure, exec, run, attach, runs, usage, trust; read, write, list, stat, mkdir, move, delete, watch, find, copy, permit.</summary>
    public required string Op { get; init; }

    public string? Path { get; init; }

    public string? Target { get; init; }

    public bool Flag { get; init; }

    public long Offset { get; init; }

    public long Length { get; init; }

    public int? Mode { get; init; }

    /// <summary>Of a copy: what is there is replaced.</summary>
    public bool Overwrite { get; init; }

    /// <summary>Of find: how deep to go, 0 for without end.</summary>
    public int Depth { get; init; }

    /// <summary>Of find: what is told.</summary>
    public string? Pattern { get; init; }

    /// <summary>Of find: what is left out.</summary>
    public IReadOnlyList<string> Exclude { get; init; } = [];

    /// <summary>Of permit: a user's name or number.</summary>
    public string? Owner { get; init; }

    /// <summary>Of permit: a group's name or number.</summary>
    public string? Group { get; init; }

    /// <summary>A program and its arguments; or, with <see cref="Shell"/>, one shell line.</summary>
    public IReadOnlyList<string> Command { get; init; } = [];

    public bool Shell { get; init; }

    public bool Root { get; init; }

    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>One certificate in PEM form, for trust.</summary>
    public string? Certificate { get; init; }

    /// <summary>0 for none.</summary>
    public long TimeoutMs { get; init; }

    /// <summary>With both above 0 the command gets a terminal.</summary>
    public int Columns { get; init; }

    public int Rows { get; init; }

    /// <summary>Of run and attach: the run's name.</summary>
    public string? Run { get; init; }

    /// <summary>Of attach: so many pieces of output are there already.</summary>
    public long After { get; init; }

    /// <summary>
    /// Of attach: which start of the run <see cref="Offset"/> counts the bytes of. When it is another, the last <see cref="Length"/> bytes come; without it, all that is kept.
    /// </summary>
    public string? Session { get; init; }

    /// <summary>Of attach: no output is wanted, only the end.</summary>
    public bool Quiet { get; init; }

    /// <summary>Of run: the node's own, told again to all who follow.</summary>
    public long Tag { get; init; }
}

/// <summary>Where the output of a run goes on from.</summary>
public sealed record GuestPosition
{
    /// <summary>Which start of the run it is.</summary>
    public string Session { get; init; } = "";

    /// <summary>Of the request that started it.</summary>
    public long Tag { get; init; }

    /// <summary>Whether it has ended.</summary>
    public bool IsOver { get; init; }

    /// <summary>So many pieces come before.</summary>
    public long Sequence { get; init; }

    /// <summary>So many bytes come before.</summary>
    public long Offset { get; init; }

    /// <summary>The terminal's size, if it has one.</summary>
    public int Columns { get; init; }

    public int Rows { get; init; }
}

/// <summary>A command that runs whoever listens.</summary>
/// <param name="Run">Its name.</param>
/// <param name="Session">Which start of that name it is.</param>
/// <param name="Tag">Of the request that started it.</param>
/// <param name="IsOver">Whether it has ended.</param>
/// <param name="Columns">The terminal's size, if it has one.</param>
/// <param name="Rows">The same.</param>
public sealed record GuestRun(string Run, string Session, long Tag, bool IsOver, int Columns, int Rows);

/// <summary>How a command ended.</summary>
public sealed record GuestExit
{
    /// <summary>The exit status; meaningless when a signal ended it. Always written: what lacks it is no exit, least of all one with 0.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public required int Code { get; init; }

    /// <summary>The signal that ended it, or 0.</summary>
    public int Signal { get; init; }

    public bool TimedOut { get; init; }

    /// <summary>The kernel killed it for want of memory.</summary>
    public bool OutOfMemory { get; init; }

    public long DurationMs { get; init; }
}

/// <summary>An operation that failed inside.</summary>
/// <param name="Code">not_found, exists, is_directory, not_directory, permission_denied, invalid_path, no_space, not_empty, too_large, too_long, too_many, no_run, run_exists, too_many_runs, too_many_viewers or other.</param>
/// <param name="Message">For a person.</param>
public sealed record GuestError(string Code, string Message);

/// <summary>A file, a directory or a link.</summary>
/// <param name="Name">The last part of its path.</param>
/// <param name="Path">Absolute.</param>
/// <param name="Type">file, directory, symlink or other.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Mode">Permission bits.</param>
/// <param name="ModifiedMs">Epoch milliseconds.</param>
/// <param name="Target">Where a link points to.</param>
/// <param name="Owner">The owner's name, or number.</param>
/// <param name="Group">The group's name, or number.</param>
public sealed record GuestEntry(
    string Name, string Path, string Type, long Size, int Mode, long ModifiedMs, string? Target, string? Owner = null, string? Group = null);

/// <summary>A path that changed.</summary>
/// <param name="Path">Absolute.</param>
/// <param name="Kind">created, modified or deleted.</param>
public sealed record GuestChange(string Path, string Kind);

/// <summary>What a watch saw, in order.</summary>
public sealed record GuestChanges
{
    /// <summary>Before these, others were lost.</summary>
    public bool Lost { get; init; }

    public IReadOnlyList<GuestChange> Changes { get; init; } = [];
}

/// <summary>The answer of an operation; what it does not speak of is absent.</summary>
public sealed record GuestResult
{
    public long Size { get; init; }

    public bool Truncated { get; init; }

    public int Processes { get; init; }

    public IReadOnlyList<int> Ports { get; init; } = [];

    public IReadOnlyList<GuestEntry> Entries { get; init; } = [];

    public IReadOnlyList<GuestRun> Runs { get; init; } = [];
}

/// <summary>What the guest is started with: a file that only it reads.</summary>
/// <param name="Listen">Address and port.</param>
/// <param name="TokenSha256">SHA-256 of the token, in hexadecimal.</param>
/// <param name="Peer">The only address that is heard; null for any.</param>
public sealed record GuestSettings(string Listen, string TokenSha256, string? Peer = null);

/// <summary>The JSON forms, made at compile time.</summary>
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(GuestRequest))]
[JsonSerializable(typeof(GuestExit))]
[JsonSerializable(typeof(GuestError))]
[JsonSerializable(typeof(GuestResult))]
[JsonSerializable(typeof(GuestChanges))]
[JsonSerializable(typeof(GuestPosition))]
[JsonSerializable(typeof(GuestSettings))]
public sealed partial class GuestJson : JsonSerializerContext;
