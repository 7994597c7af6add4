using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;
using Corral.Api.V1;
using Corral.Dialect.V1;
using Corral.Leap.V1;
using Google.Api;
using Google.Protobuf.Reflection;

namespace Corral.Gateway.Routing;

/// <summary>All routes, from the public contracts.</summary>
internal sealed class RouteTable
{
    /// <summary>What clients may call.</summary>
    public static readonly IReadOnlyList<ServiceDescriptor> Services =
        [
            SandboxService.Descriptor, ExecService.Descriptor, TerminalService.Descriptor, FileService.Descriptor, RuntimeService.Descriptor,
            NetworkPolicyService.Descriptor, SecretService.Descriptor, EgressLogService.Descriptor, EventService.Descriptor, WebhookService.Descriptor,
            OrganizationService.Descriptor, ApiKeyService.Descriptor, UsageService.Descriptor, TerminationService.Descriptor, FleetService.Descriptor,
        ];

    /// <summary>What clients may call in JSON only: the leap dialect's calls and the list, which the gateway answers itself out of those services.</summary>
    public static readonly IReadOnlyList<ServiceDescriptor> LeapServices =
        [LeapSandboxService.Descriptor, LeapFilesystemService.Descriptor, SharedListService.Descriptor];

    private readonly PathTree _paths = new();

    public RouteTable()
    {
        All = [.. Services.Concat(LeapServices).SelectMany(s => s.Methods).SelectMany(Routes)];
        foreach (var route in All)
        {
            _paths.Add(route);
        }
    }

    public IReadOnlyList<Route> All { get; }

    /// <summary>The routes of a path, whatever their verb.</summary>
    public IReadOnlyList<Route> At(string path) => _paths.Find(path);

    /// <summary>The route for a request: one whose selector is present goes before one that has none.</summary>
    public static Route? Choose(IReadOnlyList<Route> routes, HttpRequest request)
    {
        var verb = HttpMethods.IsHead(request.Method) ? HttpMethods.Get : request.Method;
        Route? chosen = null;
        foreach (var route in routes)
        {
            if (route.Verb == verb && (chosen is null || Selectors(route) > Selectors(chosen)) && IsSelected(route.Call, request))
            {
                chosen = route;
            }
        }

        return chosen;
    }

    private static int Selectors(Route route) => route.Call.QuerySelector.Length + route.Call.AcceptSelector.Length;

    private static bool IsSelected(Call call, HttpRequest request) =>
        (call.QuerySelector.Length == 0 || request.Query.ContainsKey(call.QuerySelector))
        && (call.AcceptSelector.Length == 0 || request.Headers.Accept.ToString().Contains(call.AcceptSelector, StringComparison.OrdinalIgnoreCase));

    private static IEnumerable<Route> Routes(MethodDescriptor method)
    {
        if (method.GetOptions()?.GetExtension(AnnotationsExtensions.Http) is { } rule)
        {
            yield return new Route(method, rule);
            foreach (var other in rule.AdditionalBindings)
            {
                yield return new Route(method, other, isAlias: true);
            }
        }
    }
}
