using Corral.Gateway.Security;
using Corral.Hosting;
using Corral.Leap.V1;
using Google.Protobuf;
using Grpc.Core;
using Contract = Corral.Api.V1;

namespace Corral.Gateway.Leap;

/// <summary>Files of sandboxes, in the leap dialect.</summary>
internal sealed class LeapFiles(NativeCalls native)
{
    private const int MaxFiles = 100;

    public async Task<IMessage> LsAsync(Caller caller, LsRequest request, CancellationToken cancellationToken)
    {
        Require(("path", request.Path));
        var find = new Contract.FindRequest { SandboxId = request.SandboxId, Path = request.Path, MaxDepth = request.Recursive ? 0 : 1 };
        find.Exclude.Add(request.Exclude);
        var found = await FindAsync(caller, find, cancellationToken);
        return new LsResponse { Items = { found.Entries.Select(LeapFileView.Of) } };
    }

    public async Task<IMessage> StatAsync(Caller caller, StatRequest request, CancellationToken cancellationToken)
    {
        Require(("path", request.Path));
        var stat = new Contract.StatRequest { SandboxId = request.SandboxId, Path = request.Path };
        var found = await OnFilesAsync(caller, request.SandboxId, async (files, options) => await files.StatAsync(stat, options), cancellationToken);
        return new StatResponse { Info = LeapFileView.Of(found.Entry) };
    }

    public async Task<IMessage> MkdirAsync(Caller caller, MkdirRequest request, CancellationToken cancellationToken)
    {
        Require(("path", request.Path));
        var make = new Contract.MkdirRequest { SandboxId = request.SandboxId, Path = request.Path, Exclusive = !request.Recursive };
        if (request.HasPermissions)
        {
            make.Mode = request.Permissions;
        }

        await OnFilesAsync(caller, request.SandboxId, async (files, options) => await files.MkdirAsync(make, options), cancellationToken);
        return new MkdirResponse();
    }

    public async Task<IMessage> WriteFileAsync(Caller caller, WriteFileRequest request, CancellationToken cancellationToken)
    {
        Require(("path", request.Path));
        var write = new Contract.WriteRequest { SandboxId = request.SandboxId, Path = request.Path, Content = request.Content };
        if (request.HasPermissions)
        {
            write.Mode = request.Permissions;
        }

        await WriteAsync(caller, write, cancellationToken);
        return new WriteFileResponse();
    }

    public async Task<IMessage> WriteFilesAsync(Caller caller, WriteFilesRequest request, CancellationToken cancellationToken)
    {
        foreach (var file in request.Files)
        {
            await WriteAsync(caller, new Contract.WriteRequest { SandboxId = request.SandboxId, Path = file.Path, Content = file.Content }, cancellationToken);
        }

        return new WriteFilesResponse();
    }

    public async Task<IMessage> ReadFileAsync(Caller caller, ReadFileRequest request, CancellationToken cancellationToken)
    {
        var part = FilePartAsked.Of(request);
        var content = await OnFilesAsync(
            caller, request.SandboxId, (files, options) => new FileReader(files, options).ReadAsync(request.SandboxId, request.Path, part), cancellationToken);
        return new ReadFileResponse { Content = content };
    }

    public async Task<IMessage> ReadFilesAsync(Caller caller, ReadFilesRequest request, CancellationToken cancellationToken)
    {
        RequireSome("paths", request.Paths.Count);
        var response = new ReadFilesResponse();
        var read = 0L;
        foreach (var path in request.Paths)
        {
            var content = await OnFilesAsync(
                caller, request.SandboxId, (files, options) => new FileReader(files, options, read).ReadAsync(request.SandboxId, path, FilePartAsked.All), cancellationToken);
            response.Files.Add(new FilePart { Path = path, Content = content });
            read += content.Length;
        }

        return response;
    }

    public async Task<IMessage> DeleteAsync(Caller caller, DeleteRequest request, CancellationToken cancellationToken)
    {
        Require(("path", request.Path));
        var delete = new Contract.DeleteRequest { SandboxId = request.SandboxId, Path = request.Path, Recursive = request.Recursive };
        await OnFilesAsync(caller, request.SandboxId, async (files, options) => await files.DeleteAsync(delete, options), cancellationToken);
        return new DeleteResponse();
    }

    public async Task<IMessage> SetPermissionsAsync(Caller caller, SetPermissionsRequest request, CancellationToken cancellationToken)
    {
        Require(("path", request.Path));
        var set = new Contract.SetPermissionsRequest { SandboxId = request.SandboxId, Path = request.Path };
        if (request.HasMode)
        {
            set.Mode = request.Mode;
        }

        if (request.HasOwner)
        {
            set.Owner = request.Owner;
        }

        if (request.HasGroup)
        {
            set.Group = request.Group;
        }

        await OnFilesAsync(caller, request.SandboxId, async (files, options) => await files.SetPermissionsAsync(set, options), cancellationToken);
        return new SetPermissionsResponse();
    }

    public async Task<IMessage> GlobAsync(Caller caller, GlobRequest request, CancellationToken cancellationToken)
    {
        Require(("path", request.Path));
        var find = new Contract.FindRequest { SandboxId = request.SandboxId, Path = request.Path, Pattern = request.Pattern.Length > 0 ? request.Pattern : "*" };
        find.Exclude.Add(request.Exclude);
        var found = await FindAsync(caller, find, cancellationToken);
        return new GlobResponse { Items = { found.Entries.Select(entry => entry.Path) } };
    }

    public async Task<IMessage> GrepAsync(Caller caller, GrepRequest request, CancellationToken cancellationToken)
    {
        Require(("path", request.Path), ("pattern", request.Pattern));
        var search = new Contract.SearchRequest { SandboxId = request.SandboxId, Path = request.Path, Pattern = request.Pattern, Include = request.Include };
        search.Exclude.Add(request.Exclude);
        var found = await OnFilesAsync(caller, request.SandboxId, async (files, options) => await files.SearchAsync(search, options), cancellationToken);
        return new GrepResponse
        {
            Items = { found.Matches.Select(match => new SearchMatch { Path = match.Path, Line = match.Line, Content = match.Content }) },
        };
    }

    public async Task<IMessage> EditFileAsync(Caller caller, EditFileRequest request, CancellationToken cancellationToken)
    {
        Require(("path", request.Path));
        RequireSome("edits", request.Edits.Count);
        var edit = new Contract.EditRequest { SandboxId = request.SandboxId, Path = request.Path };
        edit.Edits.AddRange(request.Edits.Select(e => new Contract.TextEdit { Find = e.Find, Replace = e.Replace }));
        var edited = await EditAsync(caller, edit, cancellationToken);
        return new EditFileResponse { Diff = edited.Diff, Replacements = edited.Replacements };
    }

    public async Task<IMessage> EditFilesAsync(Caller caller, EditFilesRequest request, CancellationToken cancellationToken)
    {
        Require(("find", request.Find));
        RequireSome("files", request.Files.Count);
        await native.ReadyAsync(caller, request.SandboxId);
        var response = new EditFilesResponse();
        foreach (var file in request.Files)
        {
            var edit = new Contract.EditRequest { SandboxId = request.SandboxId, Path = file, Edits = { new Contract.TextEdit { Find = request.Find, Replace = request.Replace } } };
            response.Items.Add(await TryEditAsync(caller, edit, cancellationToken));
        }

        return response;
    }

    public async Task<IMessage> MoveAsync(Caller caller, MoveRequest request, CancellationToken cancellationToken)
    {
        Require(("src_path", request.SrcPath), ("dst_path", request.DstPath));
        var move = new Contract.MoveRequest { SandboxId = request.SandboxId, From = request.SrcPath, To = request.DstPath, Overwrite = request.Overwrite };
        await OnFilesAsync(caller, request.SandboxId, async (files, options) => await files.MoveAsync(move, options), cancellationToken);
        return new MoveResponse();
    }

    public async Task<IMessage> CopyAsync(Caller caller, CopyRequest request, CancellationToken cancellationToken)
    {
        Require(("src_path", request.SrcPath), ("dst_path", request.DstPath));
        var copy = new Contract.CopyRequest
        {
            SandboxId = request.SandboxId,
            From = request.SrcPath,
            To = request.DstPath,
            Recursive = request.Recursive,
            Overwrite = request.Overwrite,
        };
        await OnFilesAsync(caller, request.SandboxId, async (files, options) => await files.CopyAsync(copy, options), cancellationToken);
        return new CopyResponse();
    }

    public async Task<IMessage> ExistsAsync(Caller caller, ExistsRequest request, CancellationToken cancellationToken)
    {
        Require(("path", request.Path));
        var stat = new Contract.StatRequest { SandboxId = request.SandboxId, Path = request.Path };
        try
        {
            await OnFilesAsync(caller, request.SandboxId, async (files, options) => await files.StatAsync(stat, options), cancellationToken);
            return new ExistsResponse { Exists = true };
        }
        catch (RpcException exception) when (RpcErrors.Read(exception).Reason is "FILE_NOT_FOUND" or "NOT_DIRECTORY")
        {
            return new ExistsResponse();
        }
    }

    public async Task<IMessage> TreeAsync(Caller caller, TreeRequest request, CancellationToken cancellationToken)
    {
        Require(("path", request.Path));
        var problems = new Problems();
        problems.Range("max_depth", request.HasMaxDepth ? request.MaxDepth : 1, 1, int.MaxValue);
        problems.Check();
        var find = new Contract.FindRequest { SandboxId = request.SandboxId, Path = request.Path, MaxDepth = request.MaxDepth };
        find.Exclude.Add(request.Exclude);
        var found = await FindAsync(caller, find, cancellationToken);
        return new TreeResponse { Items = { LeapFileView.TreeOf(found.Entries) } };
    }

    private async Task<EditResult> TryEditAsync(Caller caller, Contract.EditRequest edit, CancellationToken cancellationToken)
    {
        try
        {
            await EditAsync(caller, edit, cancellationToken);
            return new EditResult { File = edit.Path, Success = true };
        }
        catch (RpcException exception) when (exception.StatusCode is StatusCode.InvalidArgument or StatusCode.NotFound or StatusCode.FailedPrecondition or StatusCode.PermissionDenied or StatusCode.ResourceExhausted)
        {
            var error = RpcErrors.Read(exception);
            return new EditResult { File = edit.Path, Error = error.Violations is [var first, ..] ? first.Description : error.Message };
        }
    }

    private Task<Contract.EditResponse> EditAsync(Caller caller, Contract.EditRequest edit, CancellationToken cancellationToken) =>
        OnFilesAsync(caller, edit.SandboxId, async (files, options) => await files.EditAsync(edit, options), cancellationToken);

    private Task<Contract.FindResponse> FindAsync(Caller caller, Contract.FindRequest find, CancellationToken cancellationToken) =>
        OnFilesAsync(caller, find.SandboxId, async (files, options) => await files.FindAsync(find, options), cancellationToken);

    private Task<Contract.WriteResponse> WriteAsync(Caller caller, Contract.WriteRequest write, CancellationToken cancellationToken) =>
        OnFilesAsync(caller, write.SandboxId, async (files, options) => await files.WriteAsync(write, options), cancellationToken);

    private Task<T> OnFilesAsync<T>(
        Caller caller, string sandboxId, Func<Contract.FileService.FileServiceClient, CallOptions, Task<T>> call, CancellationToken cancellationToken) =>
        native.OnNodeAsync(caller, sandboxId, (node, options) => call(new Contract.FileService.FileServiceClient(node), options), cancellationToken);

    private static void Require(params ReadOnlySpan<(string Field, string Value)> fields)
    {
        var problems = new Problems();
        foreach (var (field, value) in fields)
        {
            problems.Require(field, value);
        }

        problems.Check();
    }

    private static void RequireSome(string field, int count)
    {
        var problems = new Problems();
        if (count is 0 or > MaxFiles)
        {
            problems.Add(field, $"must have 1 to {MaxFiles} entries");
        }

        problems.Check();
    }
}
