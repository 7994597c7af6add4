using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;
using System.Collections.Frozen;
using Corral.Api.V1;
using Google.Api;
using Google.Protobuf.Reflection;

namespace Corral.Gateway.Routing;

/// <summary>All routes, from the public contracts.</summary>
internal sealed class RouteTable
{
    /// <summary>What clients may call.</summary>
    public static readonly IReadOnlyList<ServiceDescriptor> Services =
        [SandboxService.Descriptor, ExecService.Descriptor, FileService.Descriptor, RuntimeService.Descriptor];

    private readonly FrozenDictionary<string, Route[]> _byPath;

    public RouteTable()
    {
        All = [.. Services.SelectMany(s => s.Methods).SelectMany(Routes)];
        _byPath = All.GroupBy(r => r.Path, StringComparer.Ordinal).ToFrozenDictionary(g => g.Key, g => g.ToArray(), StringComparer.Ordinal);
    }

    public IReadOnlyList<Route> All { get; }

    /// <summary>The routes of a path, whatever their verb.</summary>
    public IReadOnlyList<Route> At(string path) => _byPath.GetValueOrDefault(path) ?? [];

    /// <summary>The route for a verb and query: one whose selector is present goes before one that has none.</summary>
    public static Route? Choose(IReadOnlyList<Route> routes, string verb, IQueryCollection query)
    {
        var asked = HttpMethods.IsHead(verb) ? HttpMethods.Get : verb;
        return routes.Where(r => r.Verb == asked && (r.Call.QuerySelector.Length == 0 || query.ContainsKey(r.Call.QuerySelector)))
            .MaxBy(r => r.Call.QuerySelector.Length);
    }

    private static IEnumerable<Route> Routes(MethodDescriptor method)
    {
        if (method.GetOptions()?.GetExtension(AnnotationsExtensions.Http) is { } rule)
        {
            yield return new Route(method, rule);
        }
    }
}
