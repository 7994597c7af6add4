using System.Text.Json.Nodes;
using Corral.Api.V1;
using Corral.Tests.Instance;

namespace Corral.Bench;

/// <summary>A client's three steps, through one of the two faces.</summary>
internal interface ISandboxDriver
{
    string Face { get; }

    Task<string> LaunchAsync(string isolation);

    Task ExecAsync(string id);

    Task EndAsync(string id);
}

/// <summary>Through the boxes dialect.</summary>
internal sealed class JsonDriver(Instance instance) : ISandboxDriver
{
    public string Face => "JSON";

    public async Task<string> LaunchAsync(string isolation)
    {
        var answer = await instance.Boxes.PostAsync("/v1/sandboxes/launch", new() { ["runtime"] = "base", ["isolation"] = isolation });
        return (string?)answer.Body?["id"] ?? throw new InvalidOperationException(answer.Text);
    }

    public async Task ExecAsync(string id)
    {
        var answer = await instance.Boxes.PostAsync("/v1/sandboxes/exec", new JsonObject { ["id"] = id, ["command"] = "true", ["args"] = new JsonArray() });
        if ((int?)answer.Body?["exitCode"] != 0)
        {
            throw new InvalidOperationException(answer.Text);
        }
    }

    public Task EndAsync(string id) => instance.Boxes.EndAsync(id);
}

/// <summary>Through native gRPC.</summary>
internal sealed class NativeDriver(Instance instance) : ISandboxDriver
{
    private readonly SandboxService.SandboxServiceClient _sandboxes = new(instance.Channel);
    private readonly ExecService.ExecServiceClient _execs = new(instance.Channel);

    public string Face => "gRPC";

    public async Task<string> LaunchAsync(string isolation)
    {
        var request = new LaunchRequest { Create = new CreateRequest { Runtime = "base", Isolation = isolation } };
        return (await _sandboxes.LaunchAsync(request, instance.Credentials)).Sandbox.SandboxId;
    }

    public async Task ExecAsync(string id)
    {
        var result = await _execs.RunAsync(new RunRequest { SandboxId = id, Command = "true" }, instance.Credentials);
        if (result.ExitCode != 0)
        {
            throw new InvalidOperationException(result.ToString());
        }
    }

    public async Task EndAsync(string id) => await _sandboxes.EndAsync(new EndRequest { SandboxId = id }, instance.Credentials);
}
