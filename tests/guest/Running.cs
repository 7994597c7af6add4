using System.Text;
using Corral.GuestLink;

namespace Corral.Guest.Tests;

/// <summary>What a command wrote, and how it ended.</summary>
internal sealed record Ran(string Out, string Err, GuestExit Exit);

/// <summary>Commands and files, as tests want them.</summary>
internal static class Running
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static GuestRequest Shell(string line) => new() { Op = "exec", Command = [line], Shell = true };

    public static Task<Ran> ShAsync(this GuestBox box, string line, bool root = false) => box.RunAsync(Shell(line) with { Root = root });

    public static async Task<Ran> RunAsync(this GuestBox box, GuestRequest request, string? input = null)
    {
        using var patience = new CancellationTokenSource(Patience);
        await using var stream = await box.Client.ExecAsync(request, patience.Token);
        if (input is not null) await stream.WriteAsync(Frame.Stdin, Encoding.UTF8.GetBytes(input), patience.Token);
        await stream.WriteAsync(Frame.CloseStdin, default, patience.Token);
        return await stream.EndAsync();
    }

    /// <summary>Reads to the exit.</summary>
    public static async Task<Ran> EndAsync(this GuestStream stream)
    {
        using var patience = new CancellationTokenSource(Patience);
        using var stdout = new Pieces();
        using var stderr = new Pieces();
        while (true)
        {
            var (kind, payload) = await stream.ReadAsync(patience.Token);
            if (kind == Frame.Exit) return new Ran(stdout.Text, stderr.Text, GuestStream.ParseExit(payload));
            (kind == Frame.Stdout ? stdout : stderr).Add(payload);
        }
    }

    /// <summary>Reads output until it contains a text.</summary>
    public static async Task<string> UntilAsync(this GuestStream stream, string text)
    {
        using var patience = new CancellationTokenSource(Patience);
        var seen = "";
        while (!seen.Contains(text, StringComparison.Ordinal))
        {
            try
            {
                seen += Encoding.UTF8.GetString((await stream.ReadAsync(patience.Token)).Payload);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"Waited in vain for '{text}'; there was: {seen}");
            }
        }

        return seen;
    }

    public static async Task WriteFileAsync(this GuestBox box, string path, ReadOnlyMemory<byte> content, int? mode = null)
    {
        await using var stream = await box.Client.WriteAsync(path, mode, CancellationToken.None);
        for (var rest = content; rest.Length > 0; rest = rest[Math.Min(rest.Length, Frame.MaxPayload)..])
            await stream.WriteAsync(Frame.Data, rest[..Math.Min(rest.Length, Frame.MaxPayload)], CancellationToken.None);
        await stream.WriteAsync(Frame.End, default, CancellationToken.None);
        await stream.ReadResultAsync(CancellationToken.None);
    }

    public static async Task<byte[]> ReadFileAsync(this GuestBox box, string path, long offset = 0, long length = 0)
    {
        await using var stream = await box.Client.ReadAsync(path, offset, length, CancellationToken.None);
        await stream.ReadResultAsync(CancellationToken.None);
        using var content = new MemoryStream();
        while (await stream.ReadAsync(CancellationToken.None) is (Frame.Data, var piece)) content.Write(piece);
        return content.ToArray();
    }

    /// <summary>The code with which an operation fails.</summary>
    public static async Task<string> CodeAsync(Func<Task> operation) => (await Xunit.Assert.ThrowsAsync<GuestException>(operation)).Code;

    private sealed class Pieces : IDisposable
    {
        private readonly MemoryStream _bytes = new();

        public string Text => Encoding.UTF8.GetString(_bytes.ToArray());

        public void Add(byte[] piece) => _bytes.Write(piece);

        public void Dispose() => _bytes.Dispose();
    }
}
