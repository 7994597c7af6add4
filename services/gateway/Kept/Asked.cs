using Route = Corral.Gateway.Routing.Route;

namespace Corral.Gateway.Kept;

/// <summary>What a request asks: all that a kept answer depends on, beside the organisation.</summary>
internal readonly record struct Asked(Route Route, string Path, string Query)
{
    public int Bytes => sizeof(char) * (Path.Length + Query.Length);

    public static Asked By(HttpRequest request, Route route) => new(route, request.Path.Value ?? "", request.QueryString.Value ?? "");
}
