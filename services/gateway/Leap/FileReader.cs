using Corral.Api.V1;
using Corral.Hosting;
using Google.Protobuf;
using Grpc.Core;

namespace Corral.Gateway.Leap;

/// <summary>Reads a part of a file through the native download.</summary>
/// <param name="files">The files of the sandbox's node.</param>
/// <param name="options">On whose behalf.</param>
/// <param name="before">So many bytes are in the answer already.</param>
internal sealed class FileReader(FileService.FileServiceClient files, CallOptions options, long before = 0)
{
    private const int MaxAnswer = 32 << 20;
    private const long FirstBlock = 64 << 10;
    private const byte NewLine = (byte)'\n';

    public async Task<ByteString> ReadAsync(string sandboxId, string path, FilePartAsked part)
    {
        var file = new DownloadRequest { SandboxId = sandboxId, Path = path, Offset = part.Offset };
        if (part.Tail >= 0)
        {
            return await TailAsync(file, part.Tail);
        }

        // The download's 0 means to the end; nothing is wanted here.
        var nothing = part.Limit == 0 || part.Head == 0;
        file.Length = nothing ? 1 : Math.Max(0, part.Limit);
        var (content, _) = await DownloadAsync(file, part.Head);
        return nothing ? ByteString.Empty : content;
    }

    // Ever longer ends of the file, until one has enough lines.
    private async Task<ByteString> TailAsync(DownloadRequest file, long lines)
    {
        file.Length = 1;
        var (_, size) = await DownloadAsync(file, -1);
        for (var block = FirstBlock; ; block *= 4)
        {
            file.Offset = Math.Max(0, size - block);
            file.Length = 0;
            var (content, _) = await DownloadAsync(file, -1);
            var start = StartOfTail(content.Span, lines);
            if (start > 0 || file.Offset == 0)
            {
                return ByteString.CopyFrom(content.Span[Math.Max(0, start)..]);
            }
        }
    }

    // Where the last lines begin; 0 when there may be more of them before.
    private static int StartOfTail(ReadOnlySpan<byte> content, long lines)
    {
        // The end of the last line begins no other.
        var end = content.Length > 0 && content[^1] == NewLine ? content.Length - 1 : content.Length;
        if (lines == 0)
        {
            return content.Length;
        }

        for (var found = 0L; ;)
        {
            end = content[..end].LastIndexOf(NewLine);
            if (end < 0)
            {
                return 0;
            }

            if (++found == lines)
            {
                return end + 1;
            }
        }
    }

    private async Task<(ByteString Content, long Size)> DownloadAsync(DownloadRequest file, long maxLines)
    {
        using var call = files.Download(file, options);
        using var content = new MemoryStream();
        var size = 0L;
        var lines = 0L;
        while (await call.ResponseStream.MoveNext(options.CancellationToken))
        {
            var piece = call.ResponseStream.Current;
            size = piece.HasSize ? piece.Size : size;
            var wanted = maxLines < 0 ? piece.Data.Length : LengthOfLines(piece.Data.Span, maxLines, ref lines);
            content.Write(piece.Data.Span[..wanted]);
            if (before + content.Length > MaxAnswer)
            {
                var instead = before > 0 ? "fewer files at once" : "parts of the file";
                throw RpcErrors.FailedPrecondition("FILE_TOO_LARGE", $"The answer would be longer than {MaxAnswer} bytes: ask for {instead}.");
            }

            if (lines == maxLines)
            {
                break;
            }
        }

        return (ByteString.CopyFrom(content.GetBuffer().AsSpan(0, (int)content.Length)), size);
    }

    // How much of a piece belongs to the first lines of the file.
    private static int LengthOfLines(ReadOnlySpan<byte> piece, long maxLines, ref long lines)
    {
        var length = 0;
        while (lines < maxLines && piece[length..].IndexOf(NewLine) is >= 0 and var end)
        {
            length += end + 1;
            lines++;
        }

        return lines == maxLines ? length : piece.Length;
    }
}
