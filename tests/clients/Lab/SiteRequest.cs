namespace Corral.Clients.Tests.Lab;

/// <summary>A request as it arrived at the site.</summary>
/// <param name="Host">The host that was asked for.</param>
/// <param name="Path">The path.</param>
/// <param name="Protocol">Such as <c>HTTP/2</c>.</param>
/// <param name="Authorization">The header that is injected; null where there is none.</param>
internal sealed record SiteRequest(string Host, string Path, string Protocol, string? Authorization);
