using System.Buffers.Binary;
using System.Collections.Concurrent;

namespace Corral.GuestLink;

/// <summary>The operations of one guest. Each has a connection to itself; those that end with one answer leave theirs to the next.</summary>
/// <param name="dial">Opens a connection, which must break when the guest is gone.</param>
/// <param name="token">The sandbox's token, 32 bytes.</param>
public sealed class GuestClient(Func<CancellationToken, Task<Stream>> dial, ReadOnlyMemory<byte> token)
{
    // Each costs the guest a thread.
    private const int MostKept = 2;

    // The most that a guest answers; one that was taken over gets no more memory out of us.
    private const int MostEntries = 10_000;
    private const int MostEntriesLength = 64 << 20;

    private readonly ConcurrentStack<GuestWire> _kept = new();
    private int _places = MostKept;

    /// <summary>Whether it answers.</summary>
    public Task<GuestResult> PingAsync(CancellationToken cancellationToken) => AskAsync(new GuestRequest { Op = "ping" }, cancellationToken);

    /// <summary>Sets the environment of all commands that follow, and the host's name.</summary>
    public Task<GuestResult> ConfigureAsync(string hostname, IReadOnlyDictionary<string, string> environment, CancellationToken cancellationToken) =>
        AskAsync(new GuestRequest { Op = "configure", Target = hostname, Environment = environment }, cancellationToken);

    /// <summary>Processes and listening ports.</summary>
    public Task<GuestResult> UsageAsync(CancellationToken cancellationToken) => AskAsync(new GuestRequest { Op = "usage" }, cancellationToken);

    /// <summary>Starts a command: frames of output, then one exit, come from the stream; input, signals and sizes go to it.</summary>
    public Task<GuestStream> ExecAsync(GuestRequest request, CancellationToken cancellationToken) => OpenAsync(request with { Op = "exec" }, cancellationToken);

    /// <summary>The same of a command whose whole input is given, at most <see cref="Frame.MaxPayload"/> bytes.</summary>
    public Task<GuestStream> ExecAsync(GuestRequest request, ReadOnlySpan<byte> input, CancellationToken cancellationToken)
    {
        var frames = new byte[(input.IsEmpty ? 1 : 2) * Frame.HeaderLength + input.Length];
        GuestWire.Put(frames.AsSpan(frames.Length - Frame.HeaderLength), Frame.CloseStdin, []);
        if (!input.IsEmpty)
        {
            GuestWire.Put(frames, Frame.Stdin, input);
        }

        return OpenAsync(request with { Op = "exec" }, frames, cancellationToken);
    }

    /// <summary>
    /// Starts a command that does not need its client, and follows it: a position, then frames of output and of what happens to it, then one exit.
    /// </summary>
    public Task<GuestStream> RunAsync(GuestRequest request, CancellationToken cancellationToken) => OpenAsync(request with { Op = "run" }, cancellationToken);

    /// <summary>Follows such a command from where the request says.</summary>
    public Task<GuestStream> AttachAsync(GuestRequest request, CancellationToken cancellationToken) => OpenAsync(request with { Op = "attach" }, cancellationToken);

    /// <summary>The commands of <see cref="RunAsync"/>: those that go on, and those that are over and not forgotten yet.</summary>
    public async Task<IReadOnlyList<GuestRun>> RunsAsync(CancellationToken cancellationToken) =>
        (await AskAsync(new GuestRequest { Op = "runs" }, cancellationToken)).Runs;

    /// <summary>Opens a file: a result with its size, then data frames, then an end frame.</summary>
    public Task<GuestStream> ReadAsync(string path, long offset, long length, CancellationToken cancellationToken) =>
        OpenAsync(new GuestRequest { Op = "read", Path = path, Offset = offset, Length = length }, cancellationToken);

    /// <summary>Begins a file: data frames and an end frame go to the stream, then a result comes.</summary>
    public Task<GuestStream> WriteAsync(string path, int? mode, CancellationToken cancellationToken) =>
        OpenAsync(new GuestRequest { Op = "write", Path = path, Mode = mode }, cancellationToken);

    /// <summary>What a directory holds, and whether there is more.</summary>
    public Task<(IReadOnlyList<GuestEntry> Entries, bool Truncated)> ListAsync(string path, CancellationToken cancellationToken) =>
        CollectAsync(new GuestRequest { Op = "list", Path = path }, cancellationToken);

    /// <summary>What lies below a directory, and whether there is more. Patterns are those of <see cref="GlobPattern"/>.</summary>
    public Task<(IReadOnlyList<GuestEntry> Entries, bool Truncated)> FindAsync(
        string path, int depth, string? pattern, IReadOnlyList<string> exclude, CancellationToken cancellationToken) =>
        CollectAsync(new GuestRequest { Op = "find", Path = path, Depth = depth, Pattern = pattern, Exclude = exclude }, cancellationToken);

    /// <summary>Copies.</summary>
    public Task<GuestResult> CopyAsync(string from, string to, bool recursive, bool overwrite, CancellationToken cancellationToken) =>
        AskAsync(new GuestRequest { Op = "copy", Path = from, Target = to, Flag = recursive, Overwrite = overwrite }, cancellationToken);

    /// <summary>Sets permission bits as the sandbox's user; with an owner or a group, all of it as its root.</summary>
    public Task<GuestResult> PermitAsync(string path, int? mode, string? owner, string? group, CancellationToken cancellationToken) =>
        AskAsync(new GuestRequest { Op = "permit", Path = path, Mode = mode, Owner = owner, Group = group, Root = owner is not null || group is not null }, cancellationToken);

    /// <summary>What a path is.</summary>
    public async Task<GuestEntry> StatAsync(string path, CancellationToken cancellationToken) =>
        (await AskAsync(new GuestRequest { Op = "stat", Path = path }, cancellationToken)).Entries is [var entry]
            ? entry
            : throw new GuestException("lost", "The guest broke the protocol.");

    /// <summary>Makes a directory and those above it; exclusively, this one alone, which must not be there.</summary>
    public Task<GuestResult> MkdirAsync(string path, bool exclusive, int? mode, CancellationToken cancellationToken) =>
        AskAsync(new GuestRequest { Op = "mkdir", Path = path, Flag = exclusive, Mode = mode }, cancellationToken);

    /// <summary>Renames.</summary>
    public Task<GuestResult> MoveAsync(string from, string to, bool overwrite, CancellationToken cancellationToken) =>
        AskAsync(new GuestRequest { Op = "move", Path = from, Target = to, Flag = overwrite }, cancellationToken);

    /// <summary>Deletes.</summary>
    public Task<GuestResult> DeleteAsync(string path, bool recursive, CancellationToken cancellationToken) =>
        AskAsync(new GuestRequest { Op = "delete", Path = path, Flag = recursive }, cancellationToken);

    /// <summary>
    /// Watches a directory or a file: a result once the watch is in place, then frames of changes, then an end frame when what is watched is gone.
    /// </summary>
    public Task<GuestStream> WatchAsync(string path, bool recursive, CancellationToken cancellationToken) =>
        OpenAsync(new GuestRequest { Op = "watch", Path = path, Flag = recursive }, cancellationToken);

    /// <summary>Has the sandbox trust a certificate, in place of the one that it was given before.</summary>
    public Task<GuestResult> InstallTrustAsync(string certificatePem, CancellationToken cancellationToken) =>
        AskAsync(new GuestRequest { Op = "trust", Certificate = certificatePem }, cancellationToken);

    /// <summary>The payload of a resize frame.</summary>
    public static byte[] SizeOf(int columns, int rows)
    {
        var payload = new byte[4];
        BinaryPrimitives.WriteUInt16LittleEndian(payload, (ushort)columns);
        BinaryPrimitives.WriteUInt16LittleEndian(payload.AsSpan(2), (ushort)rows);
        return payload;
    }

    private Task<GuestStream> OpenAsync(GuestRequest request, CancellationToken cancellationToken) => OpenAsync(request, default, cancellationToken);

    private async Task<GuestStream> OpenAsync(GuestRequest request, ReadOnlyMemory<byte> more, CancellationToken cancellationToken)
    {
        var frames = GuestWire.RequestFrame(request, more);
        var wire = await TakeKeptAsync();
        if (wire is null)
        {
            return new GuestStream(await GuestWire.OpenAsync(dial, token, frames, cancellationToken), TryKeep);
        }

        var stream = new GuestStream(wire, TryKeep);
        try
        {
            await wire.SendAsync(frames, cancellationToken);
            return stream;
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
    }

    private async ValueTask<GuestWire?> TakeKeptAsync()
    {
        while (_kept.TryPop(out var wire))
        {
            Interlocked.Increment(ref _places);
            if (wire.IsSilent())
            {
                return wire;
            }

            await wire.DisposeAsync();
        }

        return null;
    }

    private bool TryKeep(GuestWire wire)
    {
        if (!wire.IsClean)
        {
            return false;
        }

        if (Interlocked.Decrement(ref _places) < 0)
        {
            Interlocked.Increment(ref _places);
            return false;
        }

        _kept.Push(wire);
        return true;
    }

    private async Task<(IReadOnlyList<GuestEntry> Entries, bool Truncated)> CollectAsync(GuestRequest request, CancellationToken cancellationToken)
    {
        await using var stream = await OpenAsync(request, cancellationToken);
        var entries = new List<GuestEntry>();
        var truncated = false;
        var length = 0L;
        while (await stream.ReadAsync(cancellationToken) is (Frame.Result, var payload) && GuestStream.Parse(payload) is { } result)
        {
            entries.AddRange(result.Entries);
            truncated |= result.Truncated;
            length += payload.Length;
            if (entries.Count > MostEntries || length > MostEntriesLength)
            {
                throw new GuestException("lost", "The guest broke the protocol.");
            }
        }

        return (entries, truncated);
    }

    private async Task<GuestResult> AskAsync(GuestRequest request, CancellationToken cancellationToken)
    {
        await using var stream = await OpenAsync(request, cancellationToken);
        try
        {
            return await stream.ReadResultAsync(cancellationToken);
        }
        finally
        {
            stream.Finish();
        }
    }
}
