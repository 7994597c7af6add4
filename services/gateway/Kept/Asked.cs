using Corral.Gateway.Terminals;
using Route = Corral.Gateway.Routing.Route;

namespace Corral.Gateway.Kept;

/// <summary>What a request asks: all that a kept answer depends on, beside the organisation.</summary>
/// <param name="Route">Which call.</param>
/// <param name="Path">Its path.</param>
/// <param name="Query">Its query, as it came.</param>
/// <param name="Scheme">By what the client came, and by which host: addresses in answers begin with them.</param>
/// <param name="Host">The host.</param>
internal readonly record struct Asked(Route Route, string Path, string Query, string Scheme, string Host)
{
    public int Bytes => sizeof(char) * (Path.Length + Query.Length + Host.Length);

    public static Asked By(HttpRequest request, Route route) =>
        new(route, request.Path.Value ?? "", request.QueryString.Value ?? "", SocketUrls.SchemeOf(request), request.Host.Value ?? "");
}
