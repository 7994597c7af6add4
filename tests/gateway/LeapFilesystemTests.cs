using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Corral.Api.V1;
using Microsoft.AspNetCore.WebUtilities;
using Xunit;
using ContentDispositionHeaderValue = System.Net.Http.Headers.ContentDispositionHeaderValue;

namespace Corral.Gateway.Tests;

/// <summary>Files in the leap dialect.</summary>
public sealed class LeapFilesystemTests : IClassFixture<LeapGateway>
{
    private readonly LeapGateway _gateway;

    public LeapFilesystemTests(LeapGateway gateway)
    {
        _gateway = gateway;
        _gateway.Upstreams.Reset();
    }

    private string Root => $"/v1/sandbox/{_gateway.Upstreams.SandboxId}/filesystem/";

    [Fact]
    public async Task Ls_TellsFiles()
    {
        var link = FileUpstream.Entry("/workspace/l", FileType.Symlink);
        link.Target = "a";
        _gateway.Upstreams.Found = new FindResponse { Entries = { FileUpstream.Entry("/workspace/d", FileType.Directory), link } };

        Assert.Equal(
            (HttpStatusCode.OK, """{"items":[{"name":"d","path":"/workspace/d","is_dir":true,"size":5,"mode":"644","mtime":1772368215,"owner":"user","group":"user","is_symlink":false},{"name":"l","path":"/workspace/l","is_dir":false,"size":5,"mode":"644","mtime":1772368215,"owner":"user","group":"user","is_symlink":true,"link_target":"a"}]}"""),
            await _gateway.PostAsync(Root + "ls", """{"path":"/workspace","exclude":["*.log"]}"""));
        Assert.Equal(new FindRequest { SandboxId = _gateway.Upstreams.SandboxId, Path = "/workspace", MaxDepth = 1, Exclude = { "*.log" } }, _gateway.Upstreams.Asked);
    }

    [Fact]
    public async Task Tree_NestsAndLeavesOutWhatFilesDoNotHave()
    {
        _gateway.Upstreams.Found = new FindResponse
        {
            Entries =
            {
                FileUpstream.Entry("/w/a", FileType.Directory), FileUpstream.Entry("/w/a/b", FileType.Directory),
                FileUpstream.Entry("/w/a/b/c", FileType.File), FileUpstream.Entry("/w/d", FileType.Symlink),
            },
        };

        Assert.Equal(
            """{"items":[{"name":"a","type":"directory","children":[{"name":"b","type":"directory","children":[{"name":"c","type":"file"}]}]},{"name":"d","type":"file"}]}""",
            (await _gateway.PostAsync(Root + "tree", """{"path":"/w"}""")).Body);
    }

    [Fact]
    public async Task Tree_IsToldAsDeepAsTheLongestPath()
    {
        const int depth = 2048;
        var paths = Enumerable.Range(1, depth).Select(i => string.Concat(Enumerable.Repeat("/d", i)));
        _gateway.Upstreams.Found = new FindResponse { Entries = { paths.Select(path => FileUpstream.Entry(path, FileType.Directory)) } };

        var (status, tree) = await _gateway.PostAsync(Root + "tree", """{"path":"/"}""");

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(
            string.Concat(Enumerable.Repeat("""{"name":"d","type":"directory","children":[""", depth - 1)) + """{"name":"d","type":"directory"}""" + string.Concat(Enumerable.Repeat("]}", depth)),
            tree["""{"items":[""".Length..]);
    }

    [Theory]
    [InlineData("stat", """{"path":"/missing"}""", HttpStatusCode.NotFound, """{"message":"No such file or directory"}""")]
    [InlineData("exists", """{"path":"/missing"}""", HttpStatusCode.OK, """{"exists":false}""")]
    [InlineData("glob", """{"path":"/w"}""", HttpStatusCode.OK, """{"items":[]}""")]
    [InlineData("grep", """{"path":"/w","pattern":"import"}""", HttpStatusCode.OK, """{"items":[{"path":"/workspace/a.py","line":3,"content":"import os"}]}""")]
    [InlineData("edit-file", """{"path":"/f","edits":[{"find":"a","replace":"b"}]}""", HttpStatusCode.OK, """{"diff":"--- a\n","replacements":2}""")]
    [InlineData("edit-files", """{"files":["/f","/missing"],"find":"a"}""", HttpStatusCode.OK, """{"items":[{"file":"/f","success":true},{"file":"/missing","success":false,"error":"No such file or directory"}]}""")]
    [InlineData("mkdir", """{"path":"/w/d","recursive":true,"permissions":"700"}""", HttpStatusCode.NoContent, "")]
    [InlineData("delete", """{"path":"/w/d","recursive":true}""", HttpStatusCode.NoContent, "")]
    [InlineData("move", """{"src_path":"/a","dst_path":"/b"}""", HttpStatusCode.NoContent, "")]
    [InlineData("copy", """{"src_path":"/a","dst_path":"/b"}""", HttpStatusCode.NoContent, "")]
    [InlineData("set-permissions", """{"path":"/a","mode":"755"}""", HttpStatusCode.NoContent, "")]
    [InlineData("ls", "{}", HttpStatusCode.BadRequest, """{"message":"Invalid request","errors":[{"field":"path","error":"is required"}]}""")]
    [InlineData("copy", """{"src_path":"/a"}""", HttpStatusCode.BadRequest, """{"message":"Invalid request","errors":[{"field":"dst_path","error":"is required"}]}""")]
    [InlineData("edit-file", """{"path":"/f","edits":[]}""", HttpStatusCode.BadRequest, """{"message":"Invalid request","errors":[{"field":"edits","error":"must have 1 to 100 entries"}]}""")]
    [InlineData("tree", """{"path":"/f","max_depth":0}""", HttpStatusCode.BadRequest, """{"message":"Invalid request","errors":[{"field":"max_depth","error":"must be from 1 to 2147483647"}]}""")]
    [InlineData("read-file", """{"path":"/f","head":1,"tail":1}""", HttpStatusCode.BadRequest, """{"message":"Invalid request","errors":[{"field":"head","error":"must not be given together with tail, offset or limit"}]}""")]
    public async Task Call_AnswersAsTheDialectSays(string call, string request, HttpStatusCode status, string answer)
    {
        Assert.Equal((status, answer), await _gateway.PostAsync(Root + call, request));
    }

    [Fact]
    public async Task Mkdir_IsExclusiveUnlessRecursive()
    {
        await _gateway.PostAsync(Root + "mkdir", """{"path":"/w/d"}""");
        Assert.True(Assert.IsType<MkdirRequest>(_gateway.Upstreams.Asked).Exclusive);
    }

    [Fact]
    public async Task WriteFile_TakesBytesOfAnyMediaTypeAndAFormEncodedQuery()
    {
        byte[] content = [0, 255, 10, 13];
        using var request = new HttpRequestMessage(HttpMethod.Post, Root + "write-file?path=/w/a+b.txt&permissions=600") { Content = new ByteArrayContent(content) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");

        Assert.Equal((HttpStatusCode.NoContent, ""), await _gateway.SendAsync(request));
        Assert.Equal(content, _gateway.Upstreams.Files["/w/a b.txt"]);
        Assert.Equal("600", Assert.IsType<WriteRequest>(_gateway.Upstreams.Asked).Mode);
    }

    [Fact]
    public async Task WriteFile_MayBeEmpty()
    {
        Assert.Equal(HttpStatusCode.NoContent, (await _gateway.SendAsync(new HttpRequestMessage(HttpMethod.Post, Root + "write-file?path=/w/empty"))).Status);
        Assert.Empty(_gateway.Upstreams.Files["/w/empty"]);
    }

    [Theory]
    [InlineData("""{"path":"/f"}""", "one\ntwo\nthree\n")]
    [InlineData("""{"path":"/f","offset":4,"limit":3}""", "two")]
    [InlineData("""{"path":"/f","offset":100}""", "")]
    [InlineData("""{"path":"/f","limit":0}""", "")]
    [InlineData("""{"path":"/f","head":2}""", "one\ntwo\n")]
    [InlineData("""{"path":"/f","head":0}""", "")]
    [InlineData("""{"path":"/f","head":9}""", "one\ntwo\nthree\n")]
    [InlineData("""{"path":"/f","tail":1}""", "three\n")]
    [InlineData("""{"path":"/f","tail":0}""", "")]
    [InlineData("""{"path":"/f","tail":9}""", "one\ntwo\nthree\n")]
    public async Task ReadFile_AnswersTheAskedPartAsBytes(string request, string content)
    {
        _gateway.Upstreams.Files["/f"] = "one\ntwo\nthree\n"u8.ToArray();
        using var response = await _gateway.Http.PostAsync(Root + "read-file", new StringContent(request));

        Assert.Equal("application/octet-stream", response.Content.Headers.ContentType!.ToString());
        Assert.Equal(content, await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task ReadFile_TailOfALongFile_IsFoundFromItsEnd()
    {
        var lines = Enumerable.Range(0, 60_000).Select(i => $"line {i} of a long file\n").ToList();
        _gateway.Upstreams.Files["/f"] = Encoding.UTF8.GetBytes(string.Concat(lines));

        Assert.Equal(string.Concat(lines[^10_000..]), (await _gateway.PostAsync(Root + "read-file", """{"path":"/f","tail":10000}""")).Body);
    }

    [Fact]
    public async Task WriteFiles_TakesEachPartByItsName()
    {
        using var form = new MultipartFormDataContent();
        foreach (var (path, content) in new[] { ("/w/one", "1"), ("/w/\"two\"", "22") })
        {
            var part = new ByteArrayContent(Encoding.UTF8.GetBytes(content));
            part.Headers.ContentDisposition = ContentDispositionHeaderValue.Parse($"form-data; name=\"{path.Replace("\"", "%22", StringComparison.Ordinal)}\"; filename=\"blob\"");
            form.Add(part);
        }

        Assert.Equal((HttpStatusCode.NoContent, ""), await _gateway.SendAsync(new HttpRequestMessage(HttpMethod.Post, Root + "write-files") { Content = form }));
        Assert.Equal(("1", "22"), (Encoding.UTF8.GetString(_gateway.Upstreams.Files["/w/one"]), Encoding.UTF8.GetString(_gateway.Upstreams.Files["/w/\"two\""])));
    }

    [Theory]
    [InlineData("text/plain", "x")]
    [InlineData("multipart/form-data", "x")]
    [InlineData("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"/w/one\"\r\n\r\nhalf")]
    [InlineData("multipart/form-data; boundary=b", "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n")]
    public async Task WriteFiles_ThatIsNoForm_Is400(string type, string body)
    {
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        var (status, answer) = await _gateway.SendAsync(new HttpRequestMessage(HttpMethod.Post, Root + "write-files") { Content = content });

        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("\"field\":\"body\"", answer, StringComparison.Ordinal);
        Assert.Empty(_gateway.Upstreams.Files);
    }

    [Fact]
    public async Task ReadFiles_AnswersPartsThatClientsTakeForFiles()
    {
        _gateway.Upstreams.Files["/w/a"] = [1, 0, 255];
        _gateway.Upstreams.Files["/w/b"] = [];
        using var response = await _gateway.Http.PostAsync(Root + "read-files", new StringContent("""{"paths":["/w/a","/w/b"]}"""));

        Assert.Equal("multipart/form-data", response.Content.Headers.ContentType!.MediaType);
        var boundary = response.Content.Headers.ContentType.Parameters.Single(p => p.Name == "boundary").Value!;
        var reader = new MultipartReader(boundary, await response.Content.ReadAsStreamAsync());
        var read = new List<(string, string, string)>();
        while (await reader.ReadNextSectionAsync() is { } section)
        {
            var file = section.AsFileSection()!;
            using var content = new MemoryStream();
            await file.FileStream!.CopyToAsync(content);
            read.Add((file.Name, file.FileName, Convert.ToHexString(content.ToArray())));
        }

        Assert.Equal([("/w/a", "a", "0100FF"), ("/w/b", "b", "")], read);
    }

    [Fact]
    public async Task ReadFiles_OneIsMissing_Is404()
    {
        Assert.Equal(HttpStatusCode.NotFound, (await _gateway.PostAsync(Root + "read-files", """{"paths":["/missing"]}""")).Status);
    }

    [Fact]
    public async Task ReadFiles_AnswersNoMoreInAllThanOneFileMayBeLong()
    {
        _gateway.Upstreams.Files["/w/half"] = new byte[16 << 20];
        _gateway.Upstreams.Files["/w/byte"] = [1];

        var (fits, _) = await _gateway.PostAsync(Root + "read-files", """{"paths":["/w/half","/w/half"]}""");
        var refused = await _gateway.PostAsync(Root + "read-files", """{"paths":["/w/half","/w/half","/w/byte"]}""");

        Assert.Equal(HttpStatusCode.OK, fits);
        Assert.Equal((HttpStatusCode.RequestEntityTooLarge, """{"message":"The answer would be longer than 33554432 bytes: ask for fewer files at once."}"""), refused);
    }

    [Fact]
    public async Task PathParameter_IsNotTheBodys()
    {
        _gateway.Upstreams.Files["/f"] = [];
        await _gateway.PostAsync(Root + "stat", """{"path":"/f","sandbox_id":"sbx-other"}""");

        Assert.Equal(_gateway.Upstreams.SandboxId, Assert.IsType<StatRequest>(_gateway.Upstreams.Asked).SandboxId);
    }
}
