using System.Text;
using System.Text.Unicode;
using Corral.Api.V1;
using Corral.GuestLink;
using Corral.Hosting;
using Corral.NodeAgent.Files;
using Corral.NodeAgent.Sandboxes;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Corral.NodeAgent.Grpc;

/// <summary>Files in the sandboxes of this node, for the gateway. Everything happens inside, by the guest.</summary>
internal sealed partial class FileGrpcService(SandboxTable table, FileWatches watches, Grep grep) : FileService.FileServiceBase
{
    private const int MaxWhole = 32 << 20;
    private const int MaxPath = 4096;
    private static readonly long Earliest = DateTimeOffset.MinValue.ToUnixTimeMilliseconds();
    private static readonly long Latest = DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public override Task<ReadResponse> Read(ReadRequest request, ServerCallContext context) => GuestErrors.TellAsync(async () =>
    {
        if (request.Encoding is not ("" or "utf-8" or "base64")) throw RpcErrors.InvalidArgument("encoding", "must be 'utf-8' or 'base64'.");
        var box = BoxOf(request.SandboxId, request.Path, context);
        await using var stream = await box.Guest.ReadAsync(request.Path, 0, MaxWhole + 1, context.CancellationToken);
        var said = await stream.ReadResultAsync(context.CancellationToken);
        if (said.Size > MaxWhole) throw TooLarge();
        using var content = new MemoryStream((int)said.Size);
        while (await stream.ReadAsync(context.CancellationToken) is (Frame.Data, var piece))
        {
            if (content.Length + piece.Length > MaxWhole) throw TooLarge();
            content.Write(piece);
        }

        var bytes = content.GetBuffer().AsSpan(0, (int)content.Length);
        var text = Utf8.IsValid(bytes);
        if (request.Encoding == "utf-8" && !text) throw RpcErrors.FailedPrecondition("NOT_UTF8", "The file is not valid UTF-8: ask for base64.");
        var base64 = request.Encoding == "base64" || !text;
        return new ReadResponse
        {
            Path = request.Path,
            Content = ByteString.CopyFrom(bytes),
            Size = bytes.Length,
            Base64 = base64,
            Encoding = base64 ? "base64" : "utf-8",
        };
    });

    public override Task<WriteResponse> Write(WriteRequest request, ServerCallContext context) => GuestErrors.TellAsync(async () =>
    {
        var mode = ParseMode(request.HasMode ? request.Mode : "");
        var box = BoxOf(request.SandboxId, request.Path, context);
        await using var stream = await box.Guest.WriteAsync(request.Path, mode, context.CancellationToken);
        await SendAsync(stream, request.Content.Memory, context.CancellationToken);
        await stream.WriteAsync(Frame.End, default, context.CancellationToken);
        await stream.ReadResultAsync(context.CancellationToken);
        return new WriteResponse { Ok = true, Path = request.Path, Size = request.Content.Length };
    });

    public override Task Download(DownloadRequest request, IServerStreamWriter<DownloadResponse> responseStream, ServerCallContext context) => GuestErrors.TellAsync(async () =>
    {
        if (request.Offset < 0 || request.Length < 0) throw RpcErrors.InvalidArgument("offset", "offset and length must not be negative.");
        var box = BoxOf(request.SandboxId, request.Path, context);
        await using var stream = await box.Guest.ReadAsync(request.Path, request.Offset, request.Length, context.CancellationToken);
        var said = await stream.ReadResultAsync(context.CancellationToken);
        await responseStream.WriteAsync(new DownloadResponse { Size = said.Size }, context.CancellationToken);
        while (await stream.ReadAsync(context.CancellationToken) is (Frame.Data, var piece))
            await responseStream.WriteAsync(new DownloadResponse { Data = UnsafeByteOperations.UnsafeWrap(piece) }, context.CancellationToken);
        return true;
    });

    public override Task<UploadResponse> Upload(IAsyncStreamReader<UploadRequest> requestStream, ServerCallContext context) => GuestErrors.TellAsync(async () =>
    {
        if (!await requestStream.MoveNext(context.CancellationToken)) throw RpcErrors.InvalidArgument("path", "is required in the first message.");
        var first = requestStream.Current;
        var mode = ParseMode(first.HasMode ? first.Mode : "");
        var box = BoxOf(first.SandboxId, first.Path, context);
        await using var stream = await box.Guest.WriteAsync(first.Path, mode, context.CancellationToken);
        var size = 0L;
        do
        {
            await SendAsync(stream, requestStream.Current.Data.Memory, context.CancellationToken);
            size += requestStream.Current.Data.Length;
        }
        while (await requestStream.MoveNext(context.CancellationToken));
        await stream.WriteAsync(Frame.End, default, context.CancellationToken);
        await stream.ReadResultAsync(context.CancellationToken);
        return new UploadResponse { Ok = true, Path = first.Path, Size = size };
    });

    public override Task<ListFilesResponse> ListFiles(ListFilesRequest request, ServerCallContext context) => GuestErrors.TellAsync(async () =>
    {
        var path = request.Path.Length > 0 ? request.Path : "/workspace";
        var (entries, truncated) = await BoxOf(request.SandboxId, path, context).Guest.ListAsync(path, context.CancellationToken);
        return new ListFilesResponse { Path = path, Truncated = truncated, Entries = { entries.Select(Tell) } };
    });

    public override Task<StatResponse> Stat(StatRequest request, ServerCallContext context) => GuestErrors.TellAsync(async () =>
        new StatResponse { Entry = Tell(await BoxOf(request.SandboxId, request.Path, context).Guest.StatAsync(request.Path, context.CancellationToken)) });

    public override Task<MkdirResponse> Mkdir(MkdirRequest request, ServerCallContext context) => GuestErrors.TellAsync(async () =>
    {
        var mode = ParseMode(request.HasMode ? request.Mode : "");
        await BoxOf(request.SandboxId, request.Path, context).Guest.MkdirAsync(request.Path, request.Exclusive, mode, context.CancellationToken);
        return new MkdirResponse { Ok = true, Path = request.Path };
    });

    public override Task<MoveResponse> Move(MoveRequest request, ServerCallContext context) => GuestErrors.TellAsync(async () =>
    {
        CheckPath("to", request.To);
        await BoxOf(request.SandboxId, request.From, context, "from").Guest.MoveAsync(request.From, request.To, request.Overwrite, context.CancellationToken);
        return new MoveResponse { Ok = true };
    });

    public override Task<DeleteResponse> Delete(DeleteRequest request, ServerCallContext context) => GuestErrors.TellAsync(async () =>
    {
        await BoxOf(request.SandboxId, request.Path, context).Guest.DeleteAsync(request.Path, request.Recursive, context.CancellationToken);
        return new DeleteResponse { Ok = true };
    });

    public override Task WatchFiles(WatchFilesRequest request, IServerStreamWriter<WatchFilesResponse> responseStream, ServerCallContext context) => GuestErrors.TellAsync(async () =>
    {
        var path = request.Path.Length > 0 ? request.Path : "/workspace";
        await watches.RunAsync(BoxOf(request.SandboxId, path, context), path, request.Recursive, responseStream.WriteAsync, context.CancellationToken);
        return true;
    });

    private Box BoxOf(string sandboxId, string path, ServerCallContext context, string field = "path")
    {
        CheckPath(field, path);
        return Boxes.Of(table, sandboxId, context);
    }

    private static void CheckPath(string field, string path)
    {
        if (path.Length == 0) throw RpcErrors.InvalidArgument(field, "is required.");
        if (path.Contains('\0', StringComparison.Ordinal)) throw RpcErrors.InvalidArgument(field, "must not contain NUL.");
        if (Encoding.UTF8.GetByteCount(path) > MaxPath) throw RpcErrors.InvalidArgument(field, $"must be at most {MaxPath} bytes.");
    }

    private static async Task SendAsync(GuestStream stream, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        for (var rest = content; rest.Length > 0; rest = rest[Math.Min(rest.Length, Frame.MaxPayload)..])
            await stream.WriteAsync(Frame.Data, rest[..Math.Min(rest.Length, Frame.MaxPayload)], cancellationToken);
    }

    // Octal text, as of chmod.
    private static int? ParseMode(string text)
    {
        if (text.Length == 0) return null;
        if (text.Length <= 5 && text.All(c => c is >= '0' and <= '7') && Convert.ToInt32(text, 8) is var mode && mode <= 0xFFF) return mode;
        throw RpcErrors.InvalidArgument("mode", "must be octal permission bits, from \"0\" to \"7777\".");
    }

    private static RpcException TooLarge() => RpcErrors.FailedPrecondition("FILE_TOO_LARGE", $"The file is longer than {MaxWhole} bytes: download it.");

    internal static FileEntry Tell(GuestEntry entry)
    {
        var told = new FileEntry
        {
            Name = entry.Name,
            Path = entry.Path,
            Type = entry.Type switch
            {
                "file" => FileType.File,
                "directory" => FileType.Directory,
                "symlink" => FileType.Symlink,
                _ => FileType.Other,
            },
            Size = entry.Size,
            Mode = Convert.ToString(entry.Mode & 0xFFF, 8).PadLeft(4, '0'),
            // A file may have any time; what is told has four digits for the year.
            ModifiedAt = Timestamp.FromDateTimeOffset(DateTimeOffset.FromUnixTimeMilliseconds(Math.Clamp(entry.ModifiedMs, Earliest, Latest))),
            Owner = entry.Owner ?? "",
            Group = entry.Group ?? "",
        };
        if (entry.Target is { } target) told.Target = target;
        return told;
    }
}
