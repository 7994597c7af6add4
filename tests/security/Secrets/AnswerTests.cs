using System.Net;
using System.Text.Json.Nodes;
using Corral.Security.Tests.Lab;
using Corral.Tests.Instance;
using Grpc.Core;
using Xunit;

namespace Corral.Security.Tests.Secrets;

/// <summary>What clients are answered: not even those who gave a secret get it back.</summary>
public sealed class AnswerTests(SecurityLab lab)
{
    [Theory]
    [InlineData("/v1/sandboxes?id={0}")]
    [InlineData("/v1/sandboxes")]
    [InlineData("/v1/sandboxes/network-policy?id={0}")]
    [InlineData("/v1/sandboxes/egress?id={0}&limit=1000")]
    [InlineData("/v1/sandboxes/runtime?id={0}")]
    [InlineData("/v1/secrets")]
    [InlineData("/v1/secrets?name=HUNT_VAULT")]
    [InlineData("/v1/sandbox/{0}")]
    [InlineData("/openapi.json")]
    public async Task Answer_HoldsNoSecret(string path)
    {
        var secrets = await lab.SecretsAsync();
        foreach (var id in secrets.Sandboxes.Values)
        {
            var answer = await lab.Boxes.GetAsync(string.Format(System.Globalization.CultureInfo.InvariantCulture, path, id));

            Assert.Equal(HttpStatusCode.OK, answer.Status);
            Assert.Empty(secrets.Needles.In(answer.Text + answer.Headers));
            Assert.Empty(secrets.Tokens.In(answer.Text + answer.Headers));
        }
    }

    [Fact]
    public async Task NativeAnswers_HoldNoSecret()
    {
        var secrets = await lab.SecretsAsync();
        var (channel, key) = (lab.Instance.Channel, lab.Instance.Credentials);
        var cancel = TestContext.Current.CancellationToken;
        foreach (var id in secrets.Sandboxes.Values)
        {
            string[] answers =
            [
                (await new Api.V1.SandboxService.SandboxServiceClient(channel).GetAsync(new() { SandboxId = id }, key, cancellationToken: cancel)).ToString(),
                (await new Api.V1.SandboxService.SandboxServiceClient(channel).ListAsync(new(), key, cancellationToken: cancel)).ToString(),
                (await new Api.V1.NetworkPolicyService.NetworkPolicyServiceClient(channel).GetNetworkPolicyAsync(new() { SandboxId = id }, key, cancellationToken: cancel)).ToString(),
                (await new Api.V1.SecretService.SecretServiceClient(channel).ListSecretsAsync(new(), key, cancellationToken: cancel)).ToString(),
                string.Join('\n', await lab.LogAsync(id)),
            ];
            Assert.All(answers, answer => Assert.NotEmpty(answer));
            Assert.All(answers, answer => Assert.Empty(secrets.Needles.In(answer)));
        }
    }

    [Fact]
    public async Task EgressLog_NamesTheSecretsThatWereUsed_AndShowsNone()
    {
        var secrets = await lab.SecretsAsync();
        foreach (var id in secrets.Sandboxes.Values)
        {
            var log = await lab.LogAsync(id);

            Assert.Contains(log, record => record.Path == "/used" && record.Secrets.Any(secret => secret.Name == "HUNT_VAULT") && record.InjectedHeaders.Contains("X-Literal"));
            Assert.Contains(log, record => record.Path == "/bearer" && record.Secrets.Any(secret => secret.Name == "HUNT_ENV"));
            Assert.Empty(secrets.Needles.In(string.Join('\n', log)));
        }
    }

    // Requests that are wrong in a way that tempts to repeat what was sent. {0} stands for the secret.
    [Theory]
    [InlineData("POST", "/v1/sandboxes", """{"networkPolicy":{"mode":"custom","transforms":[{"domain":"a.example","inject_headers":{"X-A":"{0}\r\nX-B: b"}}]}}""")]
    [InlineData("POST", "/v1/sandboxes", """{"networkPolicy":{"mode":"custom","transforms":[{"domain":"a.example","inject_headers":{"Host":"{0}"}}]}}""")]
    [InlineData("POST", "/v1/sandboxes", """{"networkPolicy":{"mode":"custom","transforms":[{"domain":"*","inject_headers":{"X-A":"{0}"}}]}}""")]
    [InlineData("POST", "/v1/sandboxes", """{"networkPolicy":{"mode":"deny-all","transforms":[{"domain":"a.example","inject_headers":{"X-A":"{0}"}}]}}""")]
    [InlineData("POST", "/v1/sandboxes", """{"networkPolicy":{"mode":"custom","transforms":[{"domain":"a.example","inject_headers":{"X-A":["{0}"]}}]}}""")]
    [InlineData("POST", "/v1/sandboxes", """{"env":{"1 TOKEN":"{0}"}}""")]
    [InlineData("POST", "/v1/sandboxes", """{"capabilities":{"browser":{"byoProxyUrl":"ftp://user:{0}@proxy.example:21"}}}""")]
    [InlineData("POST", "/v1/sandboxes", """{"capabilities":{"browser":{"byoProxyUrl":"http://user:{0}@proxy.example"}}}""")]
    [InlineData("POST", "/v1/sandboxes", """{"capabilities":{"browser":{"byoProxyUrl":"http://user:{0}@localhost:3128"}}}""")]
    [InlineData("POST", "/v1/sandboxes", """{"capabilities":{"browser":{"byoProxyUrl":{"url":"{0}"}}}}""")]
    [InlineData("PUT", "/v1/secrets", """{"name":"1","value":"{0}"}""")]
    [InlineData("PUT", "/v1/secrets", """{"name":"A","value":"{0}\n"}""")]
    [InlineData("PUT", "/v1/secrets", """{"name":"A","value":["{0}"]}""")]
    [InlineData("PUT", "/v1/secrets", """{"name":"A","value":"{0}","more":1}""")]
    [InlineData("PUT", "/v1/secrets", """{"name":"A","value":"{0}" """)]
    [InlineData("PUT", "/v1/sandboxes/network-policy", """{"id":"sbx-abcdefghijklmnopqrstuvwxyz","mode":"custom","transforms":[{"domain":"a.example","inject_headers":{"X-A":"{0}"}}]}""")]
    [InlineData("POST", "/v1/sandbox", """{"network_policy":{"mode":"custom","transforms":[{"domain":"a.example","inject_headers":{"X-A":"{0}\n"}}]}}""")]
    public async Task Error_DoesNotRepeatTheSecret(string method, string path, string body)
    {
        var needles = new Needles();
        var value = needles.Make("repeated");

        var answer = await SendAsync(method, path, body.Replace("{0}", value, StringComparison.Ordinal));

        Assert.InRange((int)answer.Status, 400, 499);
        Assert.Empty(needles.In(answer.Text + answer.Headers));
        Assert.Empty(needles.In(string.Concat(Directory.GetFiles(Path.Combine(lab.Instance.Home, "logs")).Select(File.ReadAllText))));
    }

    [Fact]
    public async Task NativeError_DoesNotRepeatTheSecret()
    {
        var needles = new Needles();
        var value = needles.Make("repeated");
        var secrets = new Api.V1.SecretService.SecretServiceClient(lab.Instance.Channel);

        var refused = await Assert.ThrowsAsync<RpcException>(async () => await secrets.PutSecretAsync(
            new() { Name = "1", Value = value }, lab.Instance.Credentials, cancellationToken: TestContext.Current.CancellationToken));

        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        Assert.Empty(needles.In(refused + string.Join('\n', refused.Trailers.Select(entry => entry.IsBinary ? Convert.ToBase64String(entry.ValueBytes) : entry.Value))));
    }

    [Fact]
    public async Task WrongKey_IsNotRepeated_AndNotLogged()
    {
        var needles = new Needles();
        var key = needles.Make("br_live_wrong");
        using var stranger = new BoxesClient(lab.Instance.Endpoint, key);

        var answer = await stranger.GetAsync("/v1/sandboxes?key=" + key);

        Assert.Equal(HttpStatusCode.Unauthorized, answer.Status);
        Assert.Empty(needles.In(answer.Text + answer.Headers));
        Assert.Empty(needles.In(string.Concat(Directory.GetFiles(Path.Combine(lab.Instance.Home, "logs")).Select(File.ReadAllText))));
    }

    private async Task<Answer> SendAsync(string method, string path, string body)
    {
        await lab.SecretsAsync();
        return await lab.Boxes.SendAsync(new HttpRequestMessage(new HttpMethod(method), path) { Content = new StringContent(body, System.Text.Encoding.UTF8, "application/json") });
    }
}
