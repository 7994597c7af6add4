using Corral.Api.V1;
using Corral.GuestLink;
using Corral.Hosting;
using Corral.NodeAgent.Files;
using Corral.NodeAgent.Grpc;
using Corral.NodeAgent.Sandboxes;
using Grpc.Core;
using Xunit;

namespace Corral.NodeAgent.Tests;

/// <summary>Whole trees in real sandboxes.</summary>
public sealed class TreeTests(SharedNode shared)
{
    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task Find_TellsParentsFirst_PrunesAndDoesNotFollowLinks(string isolation)
    {
        await InBoxAsync(isolation, async (node, box) =>
        {
            await node.UserShAsync(box, "mkdir -p t/src/deep t/node_modules/x && touch t/src/a.py t/src/deep/b.py t/node_modules/x/c.py t/z.txt && ln -s /etc t/link");

            Assert.Equal(["/workspace/t/link", "/workspace/t/src", "/workspace/t/src/a.py", "/workspace/t/src/deep", "/workspace/t/src/deep/b.py", "/workspace/t/z.txt"], await FindAsync(box, 0, null, "node_modules"));
            Assert.Equal(["/workspace/t/link", "/workspace/t/node_modules", "/workspace/t/src", "/workspace/t/z.txt"], await FindAsync(box, 1, null));
            Assert.Equal(["/workspace/t/src/a.py", "/workspace/t/src/deep/b.py"], await FindAsync(box, 0, "**/*.py", "**/node_modules/**"));
            var file = (await box.Guest.FindAsync("t", 1, "z.txt", [], CancellationToken.None)).Entries.Single();
            // The test's template has no name for the user.
            Assert.Equal(("1000", "1000", "file"), (file.Owner, file.Group, file.Type));
        });
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task Copy_TakesTreesWithBitsAndLinks_AndReplacesOnlyWhenAsked(string isolation)
    {
        await InBoxAsync(isolation, async (node, box) =>
        {
            await node.UserShAsync(box, "mkdir -p c/sub && echo one > c/sub/f && chmod 750 c/sub/f && ln -s sub/f c/l");
            await box.Guest.CopyAsync("c", "copy", recursive: true, overwrite: false, CancellationToken.None);

            Assert.Equal("one 750 sub/f", await node.UserShAsync(box, "echo $(cat copy/sub/f) $(stat -c %a copy/sub/f) $(readlink copy/l)"));
            Assert.Equal("is_directory", await CodeAsync(() => box.Guest.CopyAsync("c", "other", recursive: false, overwrite: false, CancellationToken.None)));
            Assert.Equal("exists", await CodeAsync(() => box.Guest.CopyAsync("c/sub/f", "copy/sub/f", recursive: false, overwrite: false, CancellationToken.None)));
            Assert.Equal("invalid_path", await CodeAsync(() => box.Guest.CopyAsync("c", "c/sub/c", recursive: true, overwrite: false, CancellationToken.None)));
            Assert.Equal("not_found", await CodeAsync(() => box.Guest.CopyAsync("missing", "x", recursive: false, overwrite: false, CancellationToken.None)));

            // A link at the target is replaced, not written through.
            await node.UserShAsync(box, "echo kept > kept && ln -sf /workspace/kept target");
            await box.Guest.CopyAsync("c/sub/f", "target", recursive: false, overwrite: true, CancellationToken.None);
            Assert.Equal("kept one", await node.UserShAsync(box, "echo $(cat kept) $(cat target)"));
        });
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task Permit_SetsBitsAsTheUserAndOwnersAsRoot(string isolation)
    {
        await InBoxAsync(isolation, async (node, box) =>
        {
            await node.UserShAsync(box, "touch p");
            await box.Guest.PermitAsync("p", 0x1C0 /* 0700 */, null, null, CancellationToken.None);
            Assert.Equal("700 1000 1000", await node.UserShAsync(box, "stat -c '%a %u %g' p"));
            await box.Guest.PermitAsync("p", 0x1A4 /* 0644 */, "root", "0", CancellationToken.None);
            Assert.Equal("644 root root", await node.UserShAsync(box, "stat -c '%a %U %G' p"));
            Assert.Equal("permission_denied", await CodeAsync(() => box.Guest.PermitAsync("/etc/passwd", 0x1FF, null, null, CancellationToken.None)));
            Assert.Equal("unknown_owner", await CodeAsync(() => box.Guest.PermitAsync("p", null, "nobody-here", null, CancellationToken.None)));
        });
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task Mkdir_Exclusive_MakesOneDirectoryOnly(string isolation)
    {
        await InBoxAsync(isolation, async (node, box) =>
        {
            Assert.Equal("not_found", await CodeAsync(() => box.Guest.MkdirAsync("m/n", exclusive: true, null, CancellationToken.None)));
            await box.Guest.MkdirAsync("m", exclusive: true, 0x1ED /* 0755 */, CancellationToken.None);
            Assert.Equal("exists", await CodeAsync(() => box.Guest.MkdirAsync("m", exclusive: true, null, CancellationToken.None)));
            await box.Guest.MkdirAsync("m/n/o", exclusive: false, 0x1C0 /* 0700 */, CancellationToken.None);
            Assert.Equal("755 755 700", await node.UserShAsync(box, "echo $(stat -c %a m m/n m/n/o)"));
        });
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task Grep_FindsLines_AndNothingOfAPatternIsEverAShells(string isolation)
    {
        await InBoxAsync(isolation, async (node, box) =>
        {
            await node.UserShAsync(box, "mkdir -p g/skip && printf 'x\\nimport os\\n' > g/a.py && echo 'import os' > g/skip/b.py && echo 'import os' > g/c.txt && printf 'import\\0os' > g/d.py");
            var grep = node.Get<Grep>();

            var found = await grep.RunAsync(box, new SearchRequest { Path = "g", Pattern = "^import +os$", Include = "*.py", Exclude = { "skip" } }, CancellationToken.None);
            Assert.Equal(new SearchResponse { Matches = { new SearchMatch { Path = "/workspace/g/a.py", Line = 2, Content = "import os" } } }, found);
            Assert.Empty((await grep.RunAsync(box, new SearchRequest { Path = "g", Pattern = "$(touch /tmp/owned); `touch /tmp/owned` --include" }, CancellationToken.None)).Matches);
            Assert.Equal("absent", await node.UserShAsync(box, "test -e /tmp/owned || echo absent"));
            var error = RpcErrors.Read(await Assert.ThrowsAsync<RpcException>(() => grep.RunAsync(box, new SearchRequest { Path = "g", Pattern = "[" }, CancellationToken.None)));
            Assert.Equal(("pattern", StatusCode.InvalidArgument), (error.Violations[0].Field, error.Code));
            Assert.Equal("not_found", await CodeAsync(() => grep.RunAsync(box, new SearchRequest { Path = "missing", Pattern = "a" }, CancellationToken.None)));
        });
    }

    [Fact]
    public async Task Grep_OfMoreThanIsTaken_StopsEarlyAndSaysSo()
    {
        await InBoxAsync("runc", async (node, box) =>
        {
            await node.UserShAsync(box, "yes 'a line that matches' | head -c 64M > big");
            var found = await node.Get<Grep>().RunAsync(box, new SearchRequest { Path = "big", Pattern = "line" }, CancellationToken.None);
            Assert.True(found.Truncated);
            Assert.InRange(found.Matches.Count, 1000, 10_000);
        });
    }

    [Theory]
    [InlineData("300000000000", 9999)]
    [InlineData("9000000000000000000", 9999)]
    [InlineData("-9000000000000000000", 1)]
    public async Task List_OfAFileOfAnyTime_IsTold(string seconds, int year)
    {
        await InBoxAsync("runc", async (node, box) =>
        {
            await node.UserShAsync(box, $"mkdir /dev/shm/times && touch -d @{seconds} /dev/shm/times/f");
            var (entries, _) = await box.Guest.ListAsync("/dev/shm/times", CancellationToken.None);
            Assert.Equal(year, FileGrpcService.Tell(entries.Single()).ModifiedAt.ToDateTime().Year);
        });
    }

    private static async Task<IEnumerable<string>> FindAsync(Box box, int depth, string? pattern, params string[] exclude) =>
        (await box.Guest.FindAsync("t", depth, pattern, exclude, CancellationToken.None)).Entries.Select(entry => entry.Path);

    private static async Task<string> CodeAsync(Func<Task> operation) => (await Assert.ThrowsAsync<GuestException>(operation)).Code;

    private async Task InBoxAsync(string isolation, Func<TestNode, Box, Task> test)
    {
        var node = await shared.GetAsync(isolation);
        var order = node.Order(isolation);
        var box = await node.RunAsync(order);
        try
        {
            await test(node, box);
        }
        finally
        {
            await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
        }
    }
}
