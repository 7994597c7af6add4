using System.Net;
using Corral.Hosting;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>Files that are passed on as they come.</summary>
public sealed class DownloadTests : IClassFixture<LeapGateway>
{
    private readonly LeapGateway _gateway;

    public DownloadTests(LeapGateway gateway)
    {
        _gateway = gateway;
        _gateway.Upstreams.Reset();
        _gateway.Upstreams.Files["/f"] = new byte[1000];
    }

    private string Path => $"/v1/sandboxes/fs/download?id={_gateway.Upstreams.SandboxId}&path=/f";

    [Fact]
    public async Task AFile_IsAsLongAsWasSaid() => Assert.Equal(1000, (await _gateway.Http.GetByteArrayAsync(Path)).Length);

    [Fact]
    public async Task WhatFailsBetweenTheLengthAndTheFirstByte_IsAnErrorOfItsOwnLength()
    {
        _gateway.Upstreams.Failure = RpcErrors.NotFound("FILE_NOT_FOUND", "No such file or directory");

        Assert.Equal(
            (HttpStatusCode.NotFound, """{"error":"No such file or directory","code":"FILE_NOT_FOUND"}"""),
            await _gateway.SendAsync(new HttpRequestMessage(HttpMethod.Get, Path)));
    }
}
