using Route = Corral.Gateway.Routing.Route;
using System.Collections.Frozen;
using Corral.Gateway.Routing;
using Corral.Gateway.Security;
using Corral.Leap.V1;
using Google.Protobuf;

namespace Corral.Gateway.Leap;

/// <summary>Who answers each call of the leap dialect.</summary>
internal sealed class LeapCalls
{
    private readonly FrozenDictionary<string, Handler> _handlers;

    public LeapCalls(LeapSandboxes sandboxes, LeapFiles files)
    {
        _handlers = new Dictionary<string, Handler>
        {
            ["CreateSandbox"] = On<CreateSandboxRequest>(sandboxes.CreateAsync),
            ["GetSandbox"] = On<GetSandboxRequest>(sandboxes.GetAsync),
            ["DeleteSandbox"] = On<DeleteSandboxRequest>(sandboxes.DeleteAsync),
            ["ListSandboxes"] = On<ListSandboxesRequest>(sandboxes.ListAsync),
            ["Execute"] = On<ExecuteRequest>(sandboxes.ExecuteAsync),
            ["GetUserHomeDir"] = On<GetUserHomeDirRequest>(sandboxes.UserHomeDirAsync),
            ["GetWorkdir"] = On<GetWorkdirRequest>(sandboxes.WorkdirAsync),
            ["Ls"] = On<LsRequest>(files.LsAsync),
            ["Stat"] = On<StatRequest>(files.StatAsync),
            ["Mkdir"] = On<MkdirRequest>(files.MkdirAsync),
            ["WriteFile"] = On<WriteFileRequest>(files.WriteFileAsync),
            ["WriteFiles"] = On<WriteFilesRequest>(files.WriteFilesAsync),
            ["ReadFile"] = On<ReadFileRequest>(files.ReadFileAsync),
            ["ReadFiles"] = On<ReadFilesRequest>(files.ReadFilesAsync),
            ["Delete"] = On<DeleteRequest>(files.DeleteAsync),
            ["SetPermissions"] = On<SetPermissionsRequest>(files.SetPermissionsAsync),
            ["Glob"] = On<GlobRequest>(files.GlobAsync),
            ["Grep"] = On<GrepRequest>(files.GrepAsync),
            ["EditFile"] = On<EditFileRequest>(files.EditFileAsync),
            ["EditFiles"] = On<EditFilesRequest>(files.EditFilesAsync),
            ["Move"] = On<MoveRequest>(files.MoveAsync),
            ["Copy"] = On<CopyRequest>(files.CopyAsync),
            ["Exists"] = On<ExistsRequest>(files.ExistsAsync),
            ["Tree"] = On<TreeRequest>(files.TreeAsync),
        }.ToFrozenDictionary(StringComparer.Ordinal);
        var methods = RouteTable.LeapServices.SelectMany(service => service.Methods).Select(method => method.Name);
        if (methods.FirstOrDefault(name => !_handlers.ContainsKey(name)) is { } missing)
        {
            throw new InvalidOperationException($"Nobody answers {missing} of the leap dialect.");
        }
    }

    private delegate Task<IMessage> Handler(Caller caller, IMessage request, CancellationToken cancellationToken);

    /// <summary>Answers a call. Throws the error of the native service, or one about the request itself.</summary>
    public Task<IMessage> AnswerAsync(Route route, Caller caller, IMessage request, CancellationToken cancellationToken) =>
        _handlers[route.Descriptor.Name](caller, request, cancellationToken);

    private static Handler On<TRequest>(Func<Caller, TRequest, CancellationToken, Task<IMessage>> answer) =>
        (caller, request, cancellationToken) => answer(caller, (TRequest)request, cancellationToken);
}
