namespace Corral.Gateway.Routing;

/// <summary>Routes by their paths. A part in braces, such as <c>{sandbox_id}</c>, stands for any text that is not empty; a part that is spelled out goes before it.</summary>
internal sealed class PathTree
{
    private readonly Dictionary<string, PathTree> _parts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, PathTree>.AlternateLookup<ReadOnlySpan<char>> _byText;
    private readonly List<Route> _routes = [];
    private PathTree? _any;

    public PathTree() => _byText = _parts.GetAlternateLookup<ReadOnlySpan<char>>();

    public void Add(Route route)
    {
        var node = this;
        foreach (var part in route.Path.Split('/'))
        {
            if (Route.IsParameter(part))
            {
                node = node._any ??= new PathTree();
            }
            else if (node._parts.TryGetValue(part, out var next))
            {
                node = next;
            }
            else
            {
                node = node._parts[part] = new PathTree();
            }
        }

        node._routes.Add(route);
    }

    /// <summary>The routes of a path, whatever their verb.</summary>
    public IReadOnlyList<Route> Find(string path)
    {
        var node = this;
        foreach (var range in path.AsSpan().Split('/'))
        {
            var part = path.AsSpan(range);
            if (node._byText.TryGetValue(part, out var next))
            {
                node = next;
            }
            else if (part.Length > 0 && node._any is { } any)
            {
                node = any;
            }
            else
            {
                return [];
            }
        }

        return node._routes;
    }
}
