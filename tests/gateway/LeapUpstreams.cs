using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Corral.Gateway.Tests;

/// <summary>What the gateway calls: it keeps what it was asked, and answers as a test says.</summary>
public sealed class LeapUpstreams
{
    public const string Key = "br_live_test";
    public static readonly DateTimeOffset CreatedAt = new(2026, 3, 1, 12, 30, 15, 250, TimeSpan.Zero);

    /// <summary>Another one for each test: the gateway remembers for a moment where a sandbox is.</summary>
    public string SandboxId { get; private set; } = "";

    public IMessage? Asked { get; set; }

    public LocateRequest? Located { get; set; }

    /// <summary>What is thrown instead of answering.</summary>
    public RpcException? Failure { get; set; }

    public Sandbox Sandbox { get; set; } = new();

    public RunResponse Ran { get; set; } = new();

    public FindResponse Found { get; set; } = new();

    public Dictionary<string, byte[]> Files { get; } = [];

    public void Reset()
    {
        (Asked, Located, Failure, Ran, Found) = (null, null, null, new RunResponse(), new FindResponse());
        Files.Clear();
        SandboxId = Ids.New("sbx-");
        Sandbox = new Sandbox
        {
            SandboxId = SandboxId,
            State = SandboxState.Queued,
            Runtime = "base",
            Size = "custom",
            Shape = new MachineShape { Vcpu = 2, MemoryMib = 1024, DiskMib = 10_240 },
            MaxDurationMs = 610_000,
            CreatedAt = CreatedAt.ToTimestamp(),
        };
    }

    internal T Answer<T>(IMessage asked, T answer)
    {
        Asked = asked;
        return Failure is null ? answer : throw Failure;
    }
}

internal sealed class AccessUpstream(LeapUpstreams upstreams, string address) : AccessService.AccessServiceBase
{
    private static readonly ByteString Digest = ByteString.CopyFrom(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(LeapUpstreams.Key)));

    public override Task<AuthenticateResponse> Authenticate(AuthenticateRequest request, ServerCallContext context) => request.KeySha256 == Digest
        ? Task.FromResult(new AuthenticateResponse { OrganizationId = "org-test", KeyId = "key-test", Plan = "free" })
        : throw RpcErrors.Unauthenticated("INVALID_API_KEY", "Invalid or missing API key");

    public override Task<LocateResponse> Locate(LocateRequest request, ServerCallContext context)
    {
        upstreams.Located = request;
        return request.SandboxId == upstreams.SandboxId
            ? Task.FromResult(new LocateResponse { NodeAddress = address })
            : throw RpcErrors.NotFound("SANDBOX_NOT_FOUND", "Sandbox session not found");
    }
}

internal sealed class SandboxUpstream(LeapUpstreams upstreams) : SandboxService.SandboxServiceBase
{
    public override Task<CreateResponse> Create(CreateRequest request, ServerCallContext context) =>
        Task.FromResult(upstreams.Answer(request, new CreateResponse { Sandbox = upstreams.Sandbox }));

    public override Task<GetResponse> Get(GetRequest request, ServerCallContext context) =>
        Task.FromResult(upstreams.Answer(request, new GetResponse { Sandbox = upstreams.Sandbox }));

    public override Task<EndResponse> End(EndRequest request, ServerCallContext context) =>
        Task.FromResult(upstreams.Answer(request, new EndResponse { Sandbox = upstreams.Sandbox }));

    public override Task<ListResponse> List(ListRequest request, ServerCallContext context) =>
        Task.FromResult(upstreams.Answer(request, new ListResponse { Items = { upstreams.Sandbox }, TotalItems = 1 }));
}

internal sealed class ExecUpstream(LeapUpstreams upstreams) : ExecService.ExecServiceBase
{
    public override Task<RunResponse> Run(RunRequest request, ServerCallContext context) => Task.FromResult(upstreams.Answer(request, upstreams.Ran));
}

internal sealed class FileUpstream(LeapUpstreams upstreams) : FileService.FileServiceBase
{
    public override Task<WriteResponse> Write(WriteRequest request, ServerCallContext context)
    {
        upstreams.Files[request.Path] = request.Content.ToByteArray();
        return Task.FromResult(upstreams.Answer(request, new WriteResponse()));
    }

    public override async Task Download(DownloadRequest request, IServerStreamWriter<DownloadResponse> responseStream, ServerCallContext context)
    {
        upstreams.Asked = request;
        if (!upstreams.Files.TryGetValue(request.Path, out var file))
        {
            throw RpcErrors.NotFound("FILE_NOT_FOUND", "No such file or directory");
        }

        await responseStream.WriteAsync(new DownloadResponse { Size = file.Length });
        if (upstreams.Failure is { } failure)
        {
            throw failure;
        }

        var from = (int)Math.Min(request.Offset, file.Length);
        var length = request.Length == 0 ? file.Length - from : (int)Math.Min(request.Length, file.Length - from);
        foreach (var piece in file.AsMemory(from, length).ToArray().Chunk(64 * 1024))
        {
            await responseStream.WriteAsync(new DownloadResponse { Data = ByteString.CopyFrom(piece) });
        }
    }

    public override Task<StatResponse> Stat(StatRequest request, ServerCallContext context) => upstreams.Files.ContainsKey(request.Path)
        ? Task.FromResult(upstreams.Answer(request, new StatResponse { Entry = Entry(request.Path, FileType.File) }))
        : throw RpcErrors.NotFound("FILE_NOT_FOUND", "No such file or directory");

    public override Task<MkdirResponse> Mkdir(MkdirRequest request, ServerCallContext context) => Task.FromResult(upstreams.Answer(request, new MkdirResponse()));

    public override Task<MoveResponse> Move(MoveRequest request, ServerCallContext context) => Task.FromResult(upstreams.Answer(request, new MoveResponse()));

    public override Task<CopyResponse> Copy(CopyRequest request, ServerCallContext context) => Task.FromResult(upstreams.Answer(request, new CopyResponse()));

    public override Task<DeleteResponse> Delete(DeleteRequest request, ServerCallContext context) => Task.FromResult(upstreams.Answer(request, new DeleteResponse()));

    public override Task<SetPermissionsResponse> SetPermissions(SetPermissionsRequest request, ServerCallContext context) =>
        Task.FromResult(upstreams.Answer(request, new SetPermissionsResponse()));

    public override Task<FindResponse> Find(FindRequest request, ServerCallContext context) => Task.FromResult(upstreams.Answer(request, upstreams.Found));

    public override Task<SearchResponse> Search(SearchRequest request, ServerCallContext context) => Task.FromResult(upstreams.Answer(
        request, new SearchResponse { Matches = { new SearchMatch { Path = "/workspace/a.py", Line = 3, Content = "import os" } } }));

    public override Task<EditResponse> Edit(EditRequest request, ServerCallContext context) => Task.FromResult(upstreams.Answer(
        request, request.Path == "/missing" ? throw RpcErrors.NotFound("FILE_NOT_FOUND", "No such file or directory") : new EditResponse { Diff = "--- a\n", Replacements = 2 }));

    internal static FileEntry Entry(string path, FileType type) => new()
    {
        Name = path[(path.LastIndexOf('/') + 1)..],
        Path = path,
        Type = type,
        Size = 5,
        Mode = "0644",
        ModifiedAt = LeapUpstreams.CreatedAt.ToTimestamp(),
        Owner = "user",
        Group = "user",
    };
}
