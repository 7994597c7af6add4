using System.Text;
using Corral.Api.V1;
using Corral.GuestLink;
using Corral.Hosting;
using Corral.NodeAgent.Files;
using Corral.NodeAgent.Sandboxes;
using Grpc.Core;

namespace Corral.NodeAgent.Grpc;

// What is done to whole trees, and inside of files.
internal sealed partial class FileGrpcService
{
    private const int MaxExcludes = 100;
    private const int MaxExpression = 4096;

    public override Task<CopyResponse> Copy(CopyRequest request, ServerCallContext context) => GuestErrors.TellAsync(async () =>
    {
        CheckPath("to", request.To);
        var box = BoxOf(request.SandboxId, request.From, context, "from");
        await box.Guest.CopyAsync(request.From, request.To, request.Recursive, request.Overwrite, context.CancellationToken);
        return new CopyResponse { Ok = true };
    });

    public override Task<SetPermissionsResponse> SetPermissions(SetPermissionsRequest request, ServerCallContext context) => GuestErrors.TellAsync(async () =>
    {
        if (!request.HasMode && !request.HasOwner && !request.HasGroup) throw RpcErrors.InvalidArgument("mode", "mode, owner or group is required.");
        var mode = ParseMode(request.HasMode ? request.Mode : "");
        var owner = NameOf("owner", request.HasOwner ? request.Owner : null);
        var group = NameOf("group", request.HasGroup ? request.Group : null);
        await BoxOf(request.SandboxId, request.Path, context).Guest.PermitAsync(request.Path, mode, owner, group, context.CancellationToken);
        return new SetPermissionsResponse { Ok = true };
    });

    public override Task<FindResponse> Find(FindRequest request, ServerCallContext context) => GuestErrors.TellAsync(async () =>
    {
        if (request.MaxDepth < 0) throw RpcErrors.InvalidArgument("max_depth", "must not be negative.");
        CheckExcludes(request.Exclude);
        if (request.HasPattern) CheckPattern("pattern", request.Pattern);
        for (var i = 0; i < request.Exclude.Count; i++) CheckPattern($"exclude[{i}]", request.Exclude[i]);
        var box = BoxOf(request.SandboxId, request.Path, context);
        var pattern = request.HasPattern ? request.Pattern : null;
        var (entries, truncated) = await box.Guest.FindAsync(request.Path, request.MaxDepth, pattern, request.Exclude, context.CancellationToken);
        return new FindResponse { Truncated = truncated, Entries = { entries.Select(Tell) } };
    });

    public override Task<SearchResponse> Search(SearchRequest request, ServerCallContext context) => GuestErrors.TellAsync(async () =>
    {
        if (request.Pattern.Length == 0) throw RpcErrors.InvalidArgument("pattern", "is required.");
        if (Encoding.UTF8.GetByteCount(request.Pattern) > MaxExpression) throw RpcErrors.InvalidArgument("pattern", $"must be at most {MaxExpression} bytes.");
        CheckExcludes(request.Exclude);
        foreach (var (field, text) in request.Exclude.Select(name => ("exclude", name)).Append(("include", request.Include)).Append(("pattern", request.Pattern)))
        {
            if (text.Contains('\0', StringComparison.Ordinal)) throw RpcErrors.InvalidArgument(field, "must not contain NUL.");
        }

        return await grep.RunAsync(BoxOf(request.SandboxId, request.Path, context), request, context.CancellationToken);
    });

    public override Task<EditResponse> Edit(EditRequest request, ServerCallContext context) => GuestErrors.TellAsync(async () =>
    {
        TextEdits.Check(request.Edits);
        var box = BoxOf(request.SandboxId, request.Path, context);
        var before = await ReadTextAsync(box, request.Path, context.CancellationToken);
        var (after, replacements) = TextEdits.Apply(before, request.Edits);
        var content = StrictUtf8.GetBytes(after);
        if (content.Length > TextEdits.MaxLength) throw TextEdits.TooLong();
        await using var stream = await box.Guest.WriteAsync(request.Path, null, context.CancellationToken);
        await SendAsync(stream, content, context.CancellationToken);
        await stream.WriteAsync(Frame.End, default, context.CancellationToken);
        await stream.ReadResultAsync(context.CancellationToken);
        return new EditResponse { Diff = UnifiedDiff.Of(request.Path, before, after), Replacements = replacements };
    });

    private static async Task<string> ReadTextAsync(Box box, string path, CancellationToken cancellationToken)
    {
        await using var stream = await box.Guest.ReadAsync(path, 0, TextEdits.MaxLength + 1, cancellationToken);
        await stream.ReadResultAsync(cancellationToken);
        using var content = new MemoryStream();
        while (await stream.ReadAsync(cancellationToken) is (Frame.Data, var piece))
        {
            if (content.Length + piece.Length > TextEdits.MaxLength) throw TextEdits.TooLong();
            content.Write(piece);
        }

        try
        {
            return StrictUtf8.GetString(content.GetBuffer(), 0, (int)content.Length);
        }
        catch (DecoderFallbackException)
        {
            throw RpcErrors.FailedPrecondition("NOT_UTF8", "The file is not valid UTF-8: it cannot be edited as text.");
        }
    }

    private static string? NameOf(string field, string? name) => name is null || (name.Length is > 0 and <= 64 && !name.Contains('\0', StringComparison.Ordinal))
        ? name
        : throw RpcErrors.InvalidArgument(field, "must be a name or a number.");

    // All of them go to the guest as one argument of a program.
    private static void CheckExcludes(IReadOnlyCollection<string> exclude)
    {
        if (exclude.Count > MaxExcludes || exclude.Sum(text => text.Length) > 16 * GlobPattern.MaxLength)
            throw RpcErrors.InvalidArgument("exclude", $"must have at most {MaxExcludes} entries, and {16 * GlobPattern.MaxLength} characters in all.");
    }

    private static void CheckPattern(string field, string text)
    {
        if (text.Contains('\0', StringComparison.Ordinal) || GlobPattern.TryParse(text) is null)
            throw RpcErrors.InvalidArgument(field, $"must be a pattern of 1 to {GlobPattern.MaxLength} characters, with at most 64 alternatives in braces.");
    }
}
