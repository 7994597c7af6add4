using System.Diagnostics;
using System.Text;
using Corral.NodeAgent.Host;
using Corral.Security.Tests.Lab;
using Xunit;

namespace Corral.Security.Tests.Secrets;

/// <summary>Where the instance leaves something on its host: there is no secret in plain text but in the files that are made for it.</summary>
public sealed class HostTests(SecurityLab lab)
{
    private const string DumpAll = """
        local all = {}
        local function add(value)
          if type(value) == 'table' then for _, each in ipairs(value) do add(each) end else all[#all + 1] = tostring(value) end
        end
        for _, key in ipairs(redis.call('KEYS', '*')) do
          local kind = redis.call('TYPE', key).ok
          add(key)
          if kind == 'string' then add(redis.call('GET', key))
          elseif kind == 'hash' then add(redis.call('HGETALL', key))
          elseif kind == 'set' then add(redis.call('SMEMBERS', key))
          elseif kind == 'list' then add(redis.call('LRANGE', key, 0, -1))
          elseif kind == 'zset' then add(redis.call('ZRANGE', key, 0, -1, 'WITHSCORES'))
          elseif kind == 'stream' then add(redis.call('XRANGE', key, '-', '+'))
          else error('a key of type ' .. kind) end
        end
        return all
        """;

    private string Home => lab.Instance.Home;

    [Fact]
    public async Task ProcessList_ShowsNone()
    {
        var secrets = await lab.SecretsAsync();

        Assert.Empty(Found(ProcessFiles("cmdline").Concat(ProcessFiles("environ")), secrets.Needles, secrets.Tokens));
    }

    [Fact]
    public async Task Logs_HoldNone()
    {
        var secrets = await lab.SecretsAsync();
        var logs = Directory.GetFiles(Path.Combine(Home, "logs"));

        Assert.Contains(logs, log => log.EndsWith("egress.log", StringComparison.Ordinal) && new FileInfo(log).Length > 0);
        Assert.Empty(Found(logs, secrets.Needles, secrets.Tokens));
    }

    [Fact]
    public async Task Redis_HoldsThemSealed()
    {
        var secrets = await lab.SecretsAsync();

        var dump = DumpRedis();

        // They are there, under their names.
        Assert.Contains("HUNT_VAULT", dump, StringComparison.Ordinal);
        Assert.Empty(secrets.Needles.In(Encoding.Latin1.GetBytes(dump)));
        Assert.Empty(secrets.Tokens.In(Encoding.Latin1.GetBytes(dump)));
    }

    [Fact]
    public async Task WhatRedisEverWrote_HoldsThemSealed()
    {
        var secrets = await lab.SecretsAsync();
        var files = Directory.GetFiles(Path.Combine(Home, "redis"), "*", SearchOption.AllDirectories);

        Assert.Contains(files, file => new FileInfo(file).Length > 0);
        Assert.Empty(Found(files, secrets.Needles, secrets.Tokens));
    }

    [Fact]
    public async Task FilesOfTheInstance_HoldNone_ButThoseMadeForIt()
    {
        var secrets = await lab.SecretsAsync();

        Assert.Empty(Found(InstanceFiles("bootstrap.key", "keys/", "node/pool"), secrets.Needles));
        Assert.Empty(Found(InstanceFiles("node/journal/", "node/pool"), secrets.Tokens));
    }

    [Fact]
    public async Task FilesMadeForSecrets_AreTheirOwnersOnly()
    {
        await lab.SecretsAsync();
        const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
            | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

        string[] kept = [Path.Combine(Home, "bootstrap.key"), Path.Combine(Home, "keys", "secrets.key"), .. Directory.GetFiles(Path.Combine(Home, "node", "journal"))];
        string[] closed = [Path.Combine(Home, "run"), Path.Combine(Home, "keys"), Path.Combine(Home, "redis"), Path.Combine(Home, "logs"), Path.Combine(Home, "node", "journal")];

        Assert.All(kept.Concat(closed), path => Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(path) & Others));
    }

    [Fact]
    public async Task BundlesAndRuntimes_KnowNone()
    {
        var secrets = await lab.SecretsAsync();
        var configurations = Directory.GetFiles(Path.Combine(Home, "node", "boxes"), "config.json", SearchOption.AllDirectories);
        var state = new NodePaths(Path.Combine(Home, "node")).RuntimeState;

        Assert.NotEmpty(configurations);
        Assert.Empty(Found(configurations, secrets.Needles, secrets.Tokens));
        Assert.Empty(Found(Directory.GetFiles(state, "*", SearchOption.AllDirectories).Where(IsRegular), secrets.Needles, secrets.Tokens));
        var told = 0;
        foreach (var box in configurations.Select(path => Path.GetFileName(Path.GetDirectoryName(path)!)))
        {
            foreach (var (program, root) in new[] { ("runsc", "runsc"), ("runc", "runc"), ("crun", "crun") })
            {
                if (HostProcess.Find(program) is not { } path || !Directory.Exists(Path.Combine(state, root))) continue;
                var answer = HostProcess.Run(path, ["--root", Path.Combine(state, root), "state", box]);
                told += answer.ExitCode == 0 ? 1 : 0;
                Assert.Empty(secrets.Needles.In(answer.Output));
                Assert.Empty(secrets.Tokens.In(answer.Output));
            }
        }

        Assert.True(told >= 2, $"Only {told} boxes were told of by their runtimes.");
    }

    [Fact]
    public async Task PlantedValues_AreFound()
    {
        await lab.SecretsAsync();
        var needles = new Needles();
        var planted = needles.Make("planted");
        using var process = Process.Start(new ProcessStartInfo("sleep", ["60"]) { Environment = { ["PLANTED"] = planted } })!;
        var log = Path.Combine(Home, "logs", "planted.log");
        await File.WriteAllTextAsync(log, $"A line with {Convert.ToBase64String(Encoding.UTF8.GetBytes("user:" + planted))} in it.");
        Redis("HSET", "planted:key", "field", planted);
        try
        {
            Assert.NotEmpty(Found(ProcessFiles("environ"), needles));
            Assert.NotEmpty(Found(Directory.GetFiles(Path.Combine(Home, "logs")), needles));
            Assert.NotEmpty(Found(InstanceFiles("keys/"), needles));
            Assert.NotEmpty(needles.In(Encoding.Latin1.GetBytes(DumpRedis())));
            Assert.NotEmpty(Found(Directory.GetFiles(Path.Combine(Home, "redis"), "*", SearchOption.AllDirectories), needles));
        }
        finally
        {
            process.Kill();
            File.Delete(log);
            Redis("DEL", "planted:key");
        }
    }

    private static bool IsRegular(string path) => (File.GetAttributes(path) & (FileAttributes.Device | FileAttributes.ReparsePoint)) == 0 && File.GetUnixFileMode(path) != 0 && new FileInfo(path).Length > 0;

    private static IEnumerable<string> ProcessFiles(string file) => Directory.GetDirectories("/proc").Where(folder => int.TryParse(Path.GetFileName(folder), out _)).Select(folder => Path.Combine(folder, file));

    private IEnumerable<string> InstanceFiles(params string[] but) =>
        Directory.EnumerateFiles(Home, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint | FileAttributes.Device })
            .Where(path => !but.Any(prefix => Path.GetRelativePath(Home, path).StartsWith(prefix, StringComparison.Ordinal)) && IsRegular(path));

    private static List<string> Found(IEnumerable<string> files, params Needles[] needles)
    {
        var found = new List<string>();
        foreach (var file in files)
        {
            try
            {
                var content = File.ReadAllBytes(file);
                foreach (var some in needles) found.AddRange(some.In(content).Select(name => $"{name} in {file}"));
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                // A process that has ended, or a file that has gone.
            }
        }

        return found;
    }

    private string DumpRedis() => Redis("EVAL", DumpAll, "0");

    private string Redis(params string[] command)
    {
        using var client = Process.Start(new ProcessStartInfo("redis-cli", ["-s", Path.Combine(Home, "run", "redis.sock"), .. command])
        {
            RedirectStandardOutput = true,
            StandardOutputEncoding = Encoding.Latin1,
        })!;
        var printed = client.StandardOutput.ReadToEnd();
        client.WaitForExit();
        Assert.Equal(0, client.ExitCode);
        return printed;
    }
}
