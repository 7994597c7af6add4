using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Corral.Tests.Instance;
using Xunit;

namespace Corral.EndToEnd.Tests;

/// <summary>The leap dialect, as its clients use it: a sandbox is worked in as soon as it is created.</summary>
public sealed class LeapTests(SharedInstance shared)
{
    [Fact]
    public async Task CreatedSandbox_IsWorkedInAtOnceAndGoneAfterwards()
    {
        await WithSandboxAsync("""{"template_name":"system/debian:bookworm","vcpu":2,"memory_mib":1024,"timeout_min":10,"env_vars":{"GREETING":"hello"}}""", async id =>
        {
            var ran = await PostAsync($"/v1/sandbox/{id}/process/execute", new() { ["command"] = "echo $GREETING $A; pwd; echo oops >&2; exit 3", ["envs"] = new JsonObject { ["A"] = "b" } });
            Assert.Equal("""{"exit_code":3,"stdout":"hello b\n/workspace\n","stderr":"oops\n","result":"hello b\n/workspace\noops\n"}""", ran.Text);

            var got = await shared.Boxes.GetAsync($"/v1/sandbox/{id}");
            Assert.Equal(("running", 1024, 600), ((string?)got.Body!["state"], (int)got.Body["memory"]!, (int)got.Body["timeout"]!));
            var listed = await shared.Boxes.GetAsync("/v1/sandboxes?state=running&page-size=100");
            Assert.Contains(listed.Body!["items"]!.AsArray(), item => (string?)item!["id"] == id && (string?)item["state"] == "running" && item["launch_time"] is not null);
            // The other dialect sees the same sandbox.
            Assert.Equal("custom", (string?)(await shared.Boxes.GetAsync($"/v1/sandboxes?id={id}")).Body!["size"]);

            Assert.Equal(HttpStatusCode.NoContent, (await shared.Boxes.DeleteAsync($"/v1/sandbox/{id}/")).Status);
            await shared.Boxes.UntilAsync(id, "ended");
            Assert.Equal("deleted", (string?)(await shared.Boxes.GetAsync($"/v1/sandbox/{id}/")).Body!["state"]);
            listed = await shared.Boxes.GetAsync("/v1/sandboxes?page=1");
            Assert.DoesNotContain(listed.Body!["items"]!.AsArray(), item => (string?)item!["id"] == id);
            Assert.Equal(HttpStatusCode.Conflict, (await PostAsync($"/v1/sandbox/{id}/process/execute", new() { ["command"] = "true" })).Status);
        });
    }

    [Fact]
    public async Task FourthSandbox_IsRefusedUntilOneIsGone()
    {
        var made = new List<string>();
        try
        {
            for (var i = 0; i < 3; i++)
            {
                made.Add(await CreateAsync("""{"template_name":"base","memory":512}"""));
            }

            var fourth = await shared.Boxes.PostTextAsync("/v1/sandbox", """{"template_name":"base"}""");
            Assert.Equal((HttpStatusCode.Conflict, "Concurrent sandbox limit reached"), (fourth.Status, (string?)fourth.Body!["message"]));
            await DeleteAsync(made[0]);
            made[0] = await CreateAsync("""{"template_name":"base","memory":512}""");
        }
        finally
        {
            foreach (var id in made)
            {
                await DeleteAsync(id);
            }
        }
    }

    [Fact]
    public async Task Machine_HasWhatWasAskedFor()
    {
        await WithSandboxAsync("""{"template_name":"base","vcpu":1,"memory":768,"disk":2048}""", async id =>
        {
            await PostAsync($"/v1/sandbox/{id}/process/execute", new() { ["command"] = "true" });
            var resources = (await shared.Boxes.GetAsync($"/v1/sandboxes/runtime?id={id}")).Body!["resources"]!;
            Assert.Equal((1, 768L << 20), ((int)resources["cpu"]!["limit"]!, (long)resources["memory"]!["limitBytes"]!));
        });
    }

    [Fact]
    public async Task Files_AreWrittenFoundChangedAndRead()
    {
        await WithSandboxAsync("""{"template_name":"base"}""", async id =>
        {
            var root = $"/v1/sandbox/{id}/filesystem/";
            using var written = await shared.Boxes.Http.PostAsync(root + "write-file?path=/workspace/src/a.py&permissions=600", new ByteArrayContent("import os\nprint(1)\n"u8.ToArray()));
            Assert.Equal(HttpStatusCode.NoContent, written.StatusCode);

            await ExpectAsync(root + "mkdir", """{"path":"/workspace/src/sub"}""", HttpStatusCode.NoContent);
            await ExpectAsync(root + "mkdir", """{"path":"/workspace/src/sub"}""", HttpStatusCode.Conflict);
            await ExpectAsync(root + "copy", """{"src_path":"src/a.py","dst_path":"src/sub/b.py"}""", HttpStatusCode.NoContent);
            await ExpectAsync(root + "glob", """{"path":"/workspace","pattern":"**/*.py"}""", HttpStatusCode.OK, """{"items":["/workspace/src/a.py","/workspace/src/sub/b.py"]}""");
            await ExpectAsync(root + "grep", """{"path":"/workspace","pattern":"^print","include":"b.py"}""", HttpStatusCode.OK, """{"items":[{"path":"/workspace/src/sub/b.py","line":2,"content":"print(1)"}]}""");
            await ExpectAsync(
                root + "edit-file", """{"path":"/workspace/src/a.py","edits":[{"find":"print(1)","replace":"print(2)"}]}""", HttpStatusCode.OK,
                """{"diff":"--- /workspace/src/a.py\n+++ /workspace/src/a.py\n@@ -1,2 +1,2 @@\n import os\n-print(1)\n+print(2)\n","replacements":1}""");
            await ExpectAsync(root + "read-file", """{"path":"/workspace/src/a.py","tail":1}""", HttpStatusCode.OK, "print(2)\n");
            await ExpectAsync(
                root + "edit-files", """{"files":["/workspace/src/a.py","/workspace/none"],"find":"os","replace":"sys"}""", HttpStatusCode.OK,
                """{"items":[{"file":"/workspace/src/a.py","success":true},{"file":"/workspace/none","success":false,"error":"No such file or directory"}]}""");
            await ExpectAsync(
                root + "tree", """{"path":"/workspace/src"}""", HttpStatusCode.OK,
                """{"items":[{"name":"a.py","type":"file"},{"name":"sub","type":"directory","children":[{"name":"b.py","type":"file"}]}]}""");
            await ExpectAsync(root + "move", """{"src_path":"src/sub","dst_path":"moved"}""", HttpStatusCode.NoContent);
            await ExpectAsync(root + "exists", """{"path":"/workspace/src/sub"}""", HttpStatusCode.OK, """{"exists":false}""");
            await ExpectAsync(root + "set-permissions", """{"path":"/workspace/src/a.py","mode":"755","owner":"root"}""", HttpStatusCode.NoContent);
            var stat = (await shared.Boxes.PostTextAsync(root + "stat", """{"path":"/workspace/src/a.py"}""")).Body!;
            Assert.Equal(("755", "root", "user"), ((string?)stat["mode"], (string?)stat["owner"], (string?)stat["group"]));
            await ExpectAsync(root + "delete", """{"path":"/workspace/moved"}""", HttpStatusCode.Conflict);
            await ExpectAsync(root + "delete", """{"path":"/workspace/moved","recursive":true}""", HttpStatusCode.NoContent);
            await ExpectAsync(root + "read-file", """{"path":"/workspace/none"}""", HttpStatusCode.NotFound);
        });
    }

    /// <summary>fetch sends JSON as text/plain, and takes parts for files only when they have a file name.</summary>
    [Fact]
    public async Task FetchOfNode_WritesAndReadsFilesAsForms()
    {
        await WithSandboxAsync("""{"template_name":"base"}""", async id =>
        {
            const string Script = """
                const root = process.env.ENDPOINT + '/v1/sandbox/' + process.env.ID + '/filesystem/';
                const post = (call, body) => fetch(root + call, { method: 'POST', body, headers: { authorization: process.env.KEY } });
                const form = new FormData();
                form.append('/workspace/one', new Blob(['1']));
                form.append('/workspace/a "b".bin', new Blob([new Uint8Array([0, 255])]));
                const written = await post('write-files', form);
                const made = await post('mkdir', JSON.stringify({ path: '/workspace/d' }));
                const read = await (await post('read-files', JSON.stringify({ paths: ['/workspace/one', '/workspace/a "b".bin'] }))).formData();
                const files = [];
                for (const [name, file] of read) files.push([name, file.name, [...new Uint8Array(await file.arrayBuffer())]]);
                console.log(JSON.stringify([written.status, made.status, files]));
                """;
            var output = await NodeAsync(Script, id);

            Assert.Equal("""[204,204,[["/workspace/one","one",[49]],["/workspace/a \"b\".bin","a \"b\".bin",[0,255]]]]""", output.Trim());
        });
    }

    private async Task<string> NodeAsync(string script, string id)
    {
        var start = new ProcessStartInfo("node", ["--input-type=module", "-e", script]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["ENDPOINT"] = shared.Instance.Endpoint.GetLeftPart(UriPartial.Authority);
        start.Environment["ID"] = id;
        start.Environment["KEY"] = shared.Instance.Key;
        using var node = Process.Start(start)!;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var output = node.StandardOutput.ReadToEndAsync(patience.Token);
        var errors = node.StandardError.ReadToEndAsync(patience.Token);
        await node.WaitForExitAsync(patience.Token);
        return node.ExitCode == 0 ? await output : throw new InvalidOperationException(await errors);
    }

    private async Task WithSandboxAsync(string create, Func<string, Task> test)
    {
        var id = await CreateAsync(create);
        try
        {
            await test(id);
        }
        finally
        {
            await DeleteAsync(id);
        }
    }

    private async Task<string> CreateAsync(string create)
    {
        var created = await shared.Boxes.PostTextAsync("/v1/sandbox", create);
        Assert.Equal(HttpStatusCode.Created, created.Status);
        Assert.Equal("starting", (string?)created.Body!["state"]);
        return (string)created.Body["id"]!;
    }

    // Gone, so that it no longer counts.
    private async Task DeleteAsync(string id)
    {
        Assert.Equal(HttpStatusCode.NoContent, (await shared.Boxes.DeleteAsync($"/v1/sandbox/{id}")).Status);
        await shared.Boxes.UntilAsync(id, "ended");
    }

    private Task<Answer> PostAsync(string path, JsonObject body) => shared.Boxes.PostAsync(path, body);

    private async Task ExpectAsync(string path, string body, HttpStatusCode status, string? answer = null)
    {
        var got = await SendAsync(path, body);
        Assert.True(got.Status == status && (answer is null || got.Text == answer), $"{path} {body} answered {(int)got.Status} {got.Text}");
    }

    private async Task<(HttpStatusCode Status, string Text)> SendAsync(string path, string body)
    {
        using var response = await shared.Boxes.Http.PostAsync(path, new StringContent(body, Encoding.UTF8, "text/plain"));
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }
}
