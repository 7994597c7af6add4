using System.Security.Cryptography;
using System.Text;
using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Corral.Gateway.Tests;

/// <summary>Sessions, as the gateway asks it.</summary>
internal sealed class FakeSessions
{
    public const string Key = "br_live_abcdefghijklmnopqrstuvwxyz012345";
    public const string OtherKey = "br_live_otherotherotherotherotherotherot";
    public const string ReadKey = "br_live_readreadreadreadreadreadreadread";

    /// <summary>A sandbox whose place sessions knows: like all of them, it is on this same host.</summary>
    public const string Known = "sbx-knownknownknownknownknownk";

    private static string Here => "unix:" + CorralPaths.Socket("sessions");

    private int _lists;

    /// <summary>The last create that arrived, and on whose behalf.</summary>
    public (CreateRequest Request, CallerIdentity Caller)? Created { get; set; }

    /// <summary>How often it was asked for the list.</summary>
    public int Lists => _lists;

    /// <summary>What a create answers instead, if anything.</summary>
    public Func<RpcException>? Fault { get; set; }

    internal sealed class Access : AccessService.AccessServiceBase
    {
        public override Task<AuthenticateResponse> Authenticate(AuthenticateRequest request, ServerCallContext context)
        {
            if (request.KeySha256 == Digest(Key))
            {
                return Task.FromResult(new AuthenticateResponse { OrganizationId = "org", KeyId = "key-1", Plan = "pro" });
            }

            if (request.KeySha256 == Digest(OtherKey))
            {
                return Task.FromResult(new AuthenticateResponse { OrganizationId = "other", KeyId = "key-1", Plan = "pro" });
            }

            return request.KeySha256 == Digest(ReadKey)
                ? Task.FromResult(new AuthenticateResponse { OrganizationId = "org", KeyId = "key-2", Plan = "pro", Scopes = { "sandbox_sessions:read" } })
                : throw RpcErrors.Unauthenticated("INVALID_API_KEY", "Invalid or missing API key");
        }

        public override Task<LocateResponse> Locate(LocateRequest request, ServerCallContext context) => request.SandboxId == Known
            ? Task.FromResult(new LocateResponse { NodeAddress = Here })
            : throw RpcErrors.NotFound("SANDBOX_NOT_FOUND", "Sandbox session not found");

        private static ByteString Digest(string key) => ByteString.CopyFrom(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
    }

    internal sealed class Sandboxes(FakeSessions sessions) : SandboxService.SandboxServiceBase
    {
        public override Task<CreateResponse> Create(CreateRequest request, ServerCallContext context)
        {
            if (sessions.Fault is { } fault)
            {
                throw fault();
            }

            sessions.Created = (request, CallerIdentity.From(context));
            return Task.FromResult(new CreateResponse { Sandbox = new Sandbox { SandboxId = "sbx-made", State = SandboxState.Queued } });
        }

        /// <summary>It runs at once; nobody else knows where.</summary>
        public override Task<LaunchResponse> Launch(LaunchRequest request, ServerCallContext context)
        {
            var id = Ids.New("sbx-");
            if (context.RequestHeaders.Get(CallerIdentity.PlaceKey) is not null)
            {
                context.ResponseTrailers.Add(CallerIdentity.SandboxKey, id);
                context.ResponseTrailers.Add(CallerIdentity.PlaceKey, Here);
            }

            return Task.FromResult(new LaunchResponse { Sandbox = new Sandbox { SandboxId = id, State = SandboxState.Ready } });
        }

        public override Task<ListResponse> List(ListRequest request, ServerCallContext context)
        {
            Interlocked.Increment(ref sessions._lists);
            return Task.FromResult(new ListResponse { TotalItems = 7 });
        }
    }

    /// <summary>Files that are read until they are let go.</summary>
    internal sealed class Files : FileService.FileServiceBase
    {
        private static readonly SemaphoreSlim Room = new(0);
        private static int _reading;

        public static int Reading => Volatile.Read(ref _reading);

        public static void LetGo(int reads) => Room.Release(reads);

        public override async Task<ReadResponse> Read(ReadRequest request, ServerCallContext context)
        {
            Interlocked.Increment(ref _reading);
            try
            {
                await Room.WaitAsync(context.CancellationToken);
                return new ReadResponse { Content = ByteString.CopyFromUtf8("read") };
            }
            finally
            {
                Interlocked.Decrement(ref _reading);
            }
        }
    }

    internal sealed class Commands : ExecService.ExecServiceBase
    {
        public override Task<RunResponse> Run(RunRequest request, ServerCallContext context) =>
            Task.FromResult(new RunResponse { ExitCode = 0, Stdout = ByteString.CopyFromUtf8(request.SandboxId) });
    }
}
