using Corral.Clients.Tests.Lab;
using Xunit;

namespace Corral.Clients.Tests;

/// <summary>Git, over HTTPS.</summary>
public sealed class GitTests(ClientLab lab)
{
    private const string Clone = "rm -rf /tmp/cloned && git clone --quiet $URL/git/" + Mirror.Package + ".git /tmp/cloned && cat /tmp/cloned/greeting";

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task APrivateRepository_IsCloned_ByACredentialThatIsNotInside(string isolation)
    {
        var id = await lab.CustomAsync("python", isolation);

        var run = await lab.RunAsync(id, ClientLab.Transformed, Clone);

        run.AssertPrinted(Mirror.Greeting + "\n");
        run.AssertAuthorized(ClientLab.Injected);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task ARepositoryWithoutATransform_IsCloned_ByItsServersOwnCertificate(string isolation)
    {
        var id = await lab.CustomAsync("python", isolation);

        var run = await lab.RunAsync(id, ClientLab.Untouched, "export GIT_SSL_CAINFO=$CA; " + Clone);

        run.AssertPrinted(Mirror.Greeting + "\n");
        run.AssertAuthorized(null);
    }
}
