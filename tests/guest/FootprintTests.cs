using System.Security.Cryptography;
using System.Text;
using Corral.Tests.Support;
using Xunit;

namespace Corral.Guest.Tests;

/// <summary>What a guest costs, and that use does not make it dearer.</summary>
public sealed class FootprintTests
{
    [Fact]
    public async Task An_idle_guest_is_small_in_memory_and_on_disk()
    {
        await using var box = await GuestBox.StartAsync();
        var (idle, program) = (box.Status("VmRSS"), new FileInfo(GuestProgram.Path).Length);
        for (var i = 0; i < 200; i++)
        {
            await box.ShAsync("echo");
            await box.Client.StatAsync("/workspace", CancellationToken.None);
        }

        await Eventually.Async("all threads of requests have ended", () => box.Status("Threads") < 10);
        var used = box.Status("VmRSS");
        Console.WriteLine($"guest: {idle} KiB resident when idle, {used} KiB after 400 requests, {program / 1024} KiB on disk");
        Assert.InRange(idle, 1, 8 * 1024);
        Assert.InRange(used, 1, 16 * 1024);
        Assert.InRange(program, 1, 6 << 20);
    }

    [Fact]
    public async Task Nothing_is_kept_of_requests_that_are_over()
    {
        await using var box = await GuestBox.StartAsync();
        // The first round opens what stays open.
        await RoundAsync(box);
        await Eventually.Async("the first round's threads have ended", () => box.Status("Threads") < 10);
        var before = Descriptors(box);
        for (var i = 0; i < 30; i++) await RoundAsync(box);
        await Eventually.Async($"its descriptors are at most {before} again", () => Descriptors(box) <= before);
    }

    [Fact]
    public void The_guests_own_digest_is_sha256()
    {
        for (var length = 0; length < 300; length++)
        {
            var message = Encoding.ASCII.GetBytes(new string('m', length));
            Assert.Equal(SHA256.HashData(message), Sha256.Of(message));
        }
    }

    private static async Task RoundAsync(GuestBox box)
    {
        await box.ShAsync("echo");
        await box.RunAsync(Running.Shell("echo") with { Columns = 80, Rows = 24 });
        await box.RunAsync(Running.Shell("sleep 1000") with { TimeoutMs = 1 });
        await Running.CodeAsync(() => box.RunAsync(Running.Shell("echo") with { Path = "/nowhere" }));
        await Running.CodeAsync(() => box.ReadFileAsync("/nowhere"));
        await (await box.Client.ExecAsync(Running.Shell("sleep 1000"), CancellationToken.None)).DisposeAsync();
        await (await box.Client.WatchAsync("/workspace", false, CancellationToken.None)).DisposeAsync();
    }

    private static int Descriptors(GuestBox box) => Directory.GetFiles($"/proc/{box.Pid}/fd").Length;
}
