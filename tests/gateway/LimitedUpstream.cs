using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Corral.Api.V1;
using Corral.Hosting;
using Corral.Node.V1;
using Corral.Sessions.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Corral.Gateway.Tests;

/// <summary>What gateways with limits call: it counts what was carried out, and waits or fails as a test says.</summary>
internal sealed class LimitedUpstream
{
    public const string Key = "br_live_limitedlimitedlimitedlimitedlimi";
    public const string SecondKey = "br_live_secondsecondsecondsecondsecondse";
    public const string StrangersKey = "br_live_strangerstrangerstrangerstranger";
    public const string NarrowKey = "br_live_narrownarrownarrownarrownarrowna";

    /// <summary>A sandbox whose node is gone.</summary>
    public const string OfALostNode = "sbx-lost";

    /// <summary>The proof of a terminal's token that is true.</summary>
    public const string Proof = "proof";

    private readonly ConcurrentDictionary<string, bool> _revoked = [];
    private int _creates;
    private int _runs;
    private int _reads;
    private int _viewers;

    public int Creates => _creates;

    public int Runs => _runs;

    /// <summary>How often it was asked for what gateways may keep.</summary>
    public int Reads => _reads;

    /// <summary>What it tells of a sandbox, by its id.</summary>
    public Func<string, Task<Sandbox>> Told { get; set; } = Ready;

    /// <summary>How many terminals were looked at.</summary>
    public int Viewers => _viewers;

    /// <summary>Who asked for the creates, in order.</summary>
    public ConcurrentQueue<CallerIdentity> Callers { get; } = [];

    /// <summary>Runs before a call takes effect; may throw.</summary>
    public Func<Task> Before { get; set; } = () => Task.CompletedTask;

    /// <summary>Runs after a call took effect, before its answer; may throw.</summary>
    public Func<Task> After { get; set; } = () => Task.CompletedTask;

    /// <summary>What a command prints.</summary>
    public string Output { get; set; } = "out";

    /// <summary>Completes when somebody who followed a command has left it.</summary>
    public TaskCompletionSource Left { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Revoke(string key) => _revoked[key] = true;

    public void Reset()
    {
        (_creates, _runs, _reads, Output, Told) = (0, 0, 0, "out", Ready);
        (Before, After) = (() => Task.CompletedTask, () => Task.CompletedTask);
        Callers.Clear();
        _revoked.Clear();
    }

    /// <summary>A sandbox as it usually is.</summary>
    public static Task<Sandbox> Ready(string id) => Task.FromResult(new Sandbox { SandboxId = id, State = SandboxState.Ready, Shape = new MachineShape() });

    private async Task<T> AnswerAsync<T>(Func<T> effect)
    {
        await Before();
        var answer = effect();
        await After();
        return answer;
    }

    internal sealed class Access(LimitedUpstream upstream, string address) : AccessService.AccessServiceBase
    {
        private static readonly (string Key, string Organization, string Id)[] Keys =
            [(Key, "org", "key-1"), (SecondKey, "org", "key-2"), (StrangersKey, "strangers", "key-3"), (NarrowKey, "org", "key-4")];

        public override Task<AuthenticateResponse> Authenticate(AuthenticateRequest request, ServerCallContext context)
        {
            var found = Keys.FirstOrDefault(k => ByteString.CopyFrom(SHA256.HashData(Encoding.UTF8.GetBytes(k.Key))) == request.KeySha256);
            if (found.Key is null || upstream._revoked.ContainsKey(found.Key))
            {
                throw RpcErrors.Unauthenticated("INVALID_API_KEY", "Invalid or missing API key");
            }

            var response = new AuthenticateResponse { OrganizationId = found.Organization, KeyId = found.Id, Plan = "pro" };
            response.Scopes.AddRange(found.Key == NarrowKey ? ["webhooks:read"] : []);
            return Task.FromResult(response);
        }

        public override Task<CheckKeyResponse> CheckKey(CheckKeyRequest request, ServerCallContext context)
        {
            var found = Keys.FirstOrDefault(k => (k.Organization, k.Id) == (request.OrganizationId, request.KeyId));
            return found.Key is null || upstream._revoked.ContainsKey(found.Key)
                ? throw RpcErrors.Unauthenticated("INVALID_API_KEY", "Invalid or missing API key")
                : Task.FromResult(new CheckKeyResponse { Plan = "pro" });
        }

        public override Task<LocateResponse> Locate(LocateRequest request, ServerCallContext context) =>
            Task.FromResult(new LocateResponse { NodeAddress = request.SandboxId == OfALostNode ? address + ".lost" : address });
    }

    internal sealed class Sandboxes(LimitedUpstream upstream) : SandboxService.SandboxServiceBase
    {
        public override Task<CreateResponse> Create(CreateRequest request, ServerCallContext context) => upstream.AnswerAsync(() =>
        {
            upstream.Callers.Enqueue(CallerIdentity.From(context));
            return new CreateResponse { Sandbox = new Sandbox { SandboxId = $"sbx-{Interlocked.Increment(ref upstream._creates)}", State = SandboxState.Queued } };
        });

        public override async Task Watch(WatchRequest request, IServerStreamWriter<WatchResponse> responseStream, ServerCallContext context)
        {
            await responseStream.WriteAsync(new WatchResponse { Sandbox = new Sandbox { SandboxId = request.SandboxId } });
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
        }

        public override async Task<GetResponse> Get(GetRequest request, ServerCallContext context)
        {
            Interlocked.Increment(ref upstream._reads);
            return new GetResponse { Sandbox = await upstream.Told(request.SandboxId) };
        }

        public override async Task<ListResponse> List(ListRequest request, ServerCallContext context)
        {
            Interlocked.Increment(ref upstream._reads);
            var owner = CallerIdentity.From(context).OrganizationId;
            return new ListResponse { Items = { await upstream.Told("sbx-of-" + owner) } };
        }

        public override Task<EndResponse> End(EndRequest request, ServerCallContext context) => upstream.AnswerAsync(() => new EndResponse());
    }

    internal sealed class ApiKeys(LimitedUpstream upstream) : ApiKeyService.ApiKeyServiceBase
    {
        public override Task<ListApiKeysResponse> ListApiKeys(ListApiKeysRequest request, ServerCallContext context)
        {
            Interlocked.Increment(ref upstream._reads);
            return Task.FromResult(new ListApiKeysResponse());
        }

        public override Task<RevokeApiKeyResponse> RevokeApiKey(RevokeApiKeyRequest request, ServerCallContext context) =>
            upstream.AnswerAsync(() => new RevokeApiKeyResponse());
    }

    internal sealed class Exec(LimitedUpstream upstream) : ExecService.ExecServiceBase
    {
        public override Task<RunResponse> Run(RunRequest request, ServerCallContext context) => upstream.AnswerAsync(() =>
        {
            Interlocked.Increment(ref upstream._runs);
            return new RunResponse { Stdout = ByteString.CopyFromUtf8(upstream.Output) };
        });

        public override async Task Attach(AttachRequest request, IServerStreamWriter<AttachResponse> responseStream, ServerCallContext context)
        {
            using var leaving = context.CancellationToken.Register(() => upstream.Left.TrySetResult());
            await responseStream.WriteAsync(new AttachResponse { Started = new Started { ExecId = request.ExecId } });
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
        }
    }

    internal sealed class Node : NodeService.NodeServiceBase
    {
        public override Task<CheckTerminalTokenResponse> CheckTerminalToken(CheckTerminalTokenRequest request, ServerCallContext context) =>
            request.Token.EndsWith("~" + Proof, StringComparison.Ordinal)
                ? Task.FromResult(new CheckTerminalTokenResponse())
                : throw RpcErrors.Unauthenticated("INVALID_TERMINAL_TOKEN", "Invalid or expired terminal token");
    }

    internal sealed class Terminals(LimitedUpstream upstream) : TerminalService.TerminalServiceBase
    {
        public override async Task ConnectTerminal(
            IAsyncStreamReader<ConnectTerminalRequest> requestStream, IServerStreamWriter<ConnectTerminalResponse> responseStream, ServerCallContext context)
        {
            await requestStream.MoveNext(context.CancellationToken);
            Interlocked.Increment(ref upstream._viewers);
            await responseStream.WriteAsync(new ConnectTerminalResponse { Attached = new TerminalAttached { Session = "s", Size = new TerminalSize() } }, context.CancellationToken);
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
        }
    }
}
