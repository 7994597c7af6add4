using System.Net;

namespace Corral.Security.Tests.Lab;

/// <summary>A request as it arrived at a server.</summary>
/// <param name="Server">The address that was dialled.</param>
/// <param name="Port">The port that was dialled.</param>
/// <param name="Head">Its first line and its headers, as they were sent.</param>
/// <param name="Body">Its body; for a chunked one with the trailers.</param>
internal sealed record OriginRequest(IPAddress Server, int Port, string Head, string Body)
{
    /// <summary>The target of its first line; empty when that is none of a request.</summary>
    public string Target => Head.Split(' ') is [_, var target, ..] ? target : "";

    /// <summary>All values of a header, in the order in which they came.</summary>
    public IReadOnlyList<string> Header(string name) =>
        [.. Head.Split("\r\n").Skip(1).Where(line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase)).Select(line => line[(name.Length + 1)..].Trim())];
}
