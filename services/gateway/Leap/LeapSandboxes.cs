using Corral.Api.V1;
using Corral.Gateway.Security;
using Corral.Leap.V1;
using Google.Protobuf;

namespace Corral.Gateway.Leap;

/// <summary>Sandboxes and their commands, in the leap dialect.</summary>
internal sealed class LeapSandboxes(NativeCalls native)
{
    private const string Workdir = "/workspace";
    private const long DefaultCommandSeconds = 30;
    private const long MaxCommandSeconds = 28_800;

    public async Task<IMessage> CreateAsync(Caller caller, CreateSandboxRequest request, CancellationToken cancellationToken)
    {
        var create = LeapCreate.ToNative(request);
        var created = await native.Sandboxes.CreateAsync(create, native.Options(caller, cancellationToken));
        return new CreateSandboxResponse { Sandbox = LeapView.Of(created.Sandbox) };
    }

    public async Task<IMessage> GetAsync(Caller caller, GetSandboxRequest request, CancellationToken cancellationToken)
    {
        var found = await native.Sandboxes.GetAsync(new GetRequest { SandboxId = request.SandboxId }, native.Options(caller, cancellationToken));
        return new GetSandboxResponse { Sandbox = LeapView.Of(found.Sandbox) };
    }

    public async Task<IMessage> DeleteAsync(Caller caller, DeleteSandboxRequest request, CancellationToken cancellationToken)
    {
        await native.Sandboxes.EndAsync(new EndRequest { SandboxId = request.SandboxId }, native.Options(caller, cancellationToken));
        return new DeleteSandboxResponse();
    }

    public async Task<IMessage> ListAsync(Caller caller, ListSandboxesRequest request, CancellationToken cancellationToken)
    {
        var list = await native.Sandboxes.ListAsync(LeapList.ToNative(request), native.Options(caller, cancellationToken));
        var response = new ListSandboxesResponse { TotalItems = list.TotalItems };
        response.Items.AddRange(list.Items.Select(sandbox => new ListedSandbox { Sandbox = sandbox, Item = LeapView.ItemOf(sandbox) }));
        if (list.HasNextCursor)
        {
            response.NextCursor = list.NextCursor;
        }

        return response;
    }

    public async Task<IMessage> ExecuteAsync(Caller caller, ExecuteRequest request, CancellationToken cancellationToken)
    {
        var problems = new Problems();
        problems.Require("command", request.Command);
        if (request is { HasTimeout: true, Timeout: < 1 })
        {
            problems.Add("timeout", "must be at least 1");
        }

        problems.Check();

        // Some clients take this for milliseconds: what is too long is as long as can be.
        var seconds = Math.Min(request.HasTimeout ? request.Timeout : DefaultCommandSeconds, MaxCommandSeconds);
        var run = new RunRequest { SandboxId = request.SandboxId, Command = request.Command, Cwd = request.Cwd, TimeoutMs = seconds * 1000 };
        run.Env.Add(request.Envs);
        var ran = await native.OnNodeAsync(
            caller, request.SandboxId, async (node, options) => await new ExecService.ExecServiceClient(node).RunAsync(run, options), cancellationToken);
        var (stdout, stderr) = (ran.Stdout.ToStringUtf8(), ran.Stderr.ToStringUtf8());
        return new ExecuteResponse { ExitCode = ran.ExitCode, Stdout = stdout, Stderr = stderr, Result = stdout + stderr };
    }

    public async Task<IMessage> UserHomeDirAsync(Caller caller, GetUserHomeDirRequest request, CancellationToken cancellationToken)
    {
        await native.ReadyAsync(caller, request.SandboxId);
        return new GetUserHomeDirResponse { UserHomeDir = Workdir };
    }

    public async Task<IMessage> WorkdirAsync(Caller caller, GetWorkdirRequest request, CancellationToken cancellationToken)
    {
        await native.ReadyAsync(caller, request.SandboxId);
        return new GetWorkdirResponse { Workdir = Workdir };
    }
}
