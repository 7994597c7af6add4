using Corral.Api.V1;
using Xunit;

namespace Corral.Clients.Tests.Lab;

/// <summary>What came of a client: how it ended, and what arrived at the site meanwhile.</summary>
internal sealed record ClientRun(int ExitCode, string Output, string Errors, IReadOnlyList<SiteRequest> Requests)
{
    public static ClientRun Of(RunResponse response, IEnumerable<SiteRequest> requests) =>
        new(response.ExitCode, response.Stdout.ToStringUtf8(), response.Stderr.ToStringUtf8(), [.. requests]);

    /// <summary>It succeeded, and this is what it printed last.</summary>
    public void AssertPrinted(string expected)
    {
        Assert.True(ExitCode == 0, $"The client ended with {ExitCode}: {Output}{Errors}");
        Assert.EndsWith(expected, Output, StringComparison.Ordinal);
    }

    /// <summary>Every request arrived with this value in its Authorization, or all without.</summary>
    public void AssertAuthorized(string? expected)
    {
        Assert.NotEmpty(Requests);
        Assert.All(Requests, request => Assert.Equal(expected, request.Authorization));
    }
}
