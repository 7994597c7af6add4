using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Corral.NodeAgent.Host;

namespace Corral.Clients.Tests.Lab;

/// <summary>One small package in the forms of several package managers, in directories as their mirrors have them.</summary>
internal sealed class Mirror
{
    public const string Package = "corral-greeting", Module = "corral_greeting", Greeting = "greetings from the mirror";

    private string _tarballIntegrity = "";

    private Mirror(string directory) => Directory = directory;

    public string Directory { get; }

    public static Mirror Create(string directory)
    {
        var mirror = new Mirror(directory);
        mirror.MakeDebian();
        mirror.MakePython();
        mirror.MakeNpm();
        mirror.MakeGit();
        return mirror;
    }

    /// <summary>What an npm registry says of the package, at the address by which it was asked.</summary>
    public object Describe(Uri origin) => new Dictionary<string, object>
    {
        ["name"] = Package,
        ["dist-tags"] = new { latest = "1.0.0" },
        ["versions"] = new Dictionary<string, object>
        {
            ["1.0.0"] = new { name = Package, version = "1.0.0", dist = new { tarball = new Uri(origin, "/npm/package.tgz"), integrity = _tarballIntegrity } },
        },
    };

    // A flat repository (sources.list(5)); it is not signed, and its user says that this is fine.
    private void MakeDebian()
    {
        var root = System.IO.Directory.CreateTempSubdirectory("corral-deb-").FullName;
        try
        {
            Write(Path.Combine(root, "DEBIAN", "control"), $"Package: {Package}\nVersion: 1.0\nArchitecture: all\nMaintainer: Corral <dev@corral.example>\nDescription: a greeting\n");
            Write(Path.Combine(root, "usr", "bin", Package), $"#!/bin/sh\necho {Greeting}\n", executable: true);
            var package = Path.Combine(System.IO.Directory.CreateDirectory(Path.Combine(Directory, "deb")).FullName, "package.deb");
            HostProcess.Require(HostProcess.Locate("dpkg-deb"), ["--build", "--root-owner-group", root, package]);
            var bytes = File.ReadAllBytes(package);
            Write(Path.Combine(Directory, "deb", "Packages"), $"Package: {Package}\nVersion: 1.0\nArchitecture: all\nDescription: a greeting\nFilename: ./package.deb\nSize: {bytes.Length}\nSHA256: {Convert.ToHexStringLower(SHA256.HashData(bytes))}\n");
        }
        finally
        {
            System.IO.Directory.Delete(root, recursive: true);
        }
    }

    // The simple repository API, in HTML.
    private void MakePython()
    {
        const string Wheel = Module + "-1.0-py3-none-any.whl", About = Module + "-1.0.dist-info/";
        var index = System.IO.Directory.CreateDirectory(Path.Combine(Directory, "simple", Package)).FullName;
        Write(Path.Combine(index, "index.html"), $"<!DOCTYPE html><html><body><a href=\"{Wheel}\">{Wheel}</a></body></html>");
        using var wheel = ZipFile.Open(Path.Combine(index, Wheel), ZipArchiveMode.Create);
        void Add(string name, string content)
        {
            using var writer = new StreamWriter(wheel.CreateEntry(name).Open());
            writer.Write(content);
        }

        Add(Module + ".py", $"greeting = '{Greeting}'\n");
        Add(About + "METADATA", $"Metadata-Version: 2.1\nName: {Package}\nVersion: 1.0\n");
        Add(About + "WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n");
        Add(About + "RECORD", $"{Module}.py,,\n{About}METADATA,,\n{About}WHEEL,,\n{About}RECORD,,\n");
    }

    private void MakeNpm()
    {
        var path = Path.Combine(System.IO.Directory.CreateDirectory(Path.Combine(Directory, "npm")).FullName, "package.tgz");
        using (var archive = new TarWriter(new GZipStream(File.Create(path), CompressionLevel.Fastest)))
        {
            void Add(string name, string content) =>
                archive.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, "package/" + name) { DataStream = new MemoryStream(Encoding.UTF8.GetBytes(content)) });
            Add("package.json", $$"""{"name": "{{Package}}", "version": "1.0.0", "main": "index.js"}""");
            Add("index.js", $"module.exports = '{Greeting}';\n");
        }

        _tarballIntegrity = "sha512-" + Convert.ToBase64String(SHA512.HashData(File.ReadAllBytes(path)));
    }

    // A bare repository that any web server can serve (gitprotocol-http(5), "dumb clients").
    private void MakeGit()
    {
        var work = System.IO.Directory.CreateTempSubdirectory("corral-git-").FullName;
        var bare = Path.Combine(Directory, "git", Package + ".git");
        void Git(params string[] arguments) => HostProcess.Require(HostProcess.Locate("git"), arguments);
        try
        {
            Write(Path.Combine(work, "greeting"), Greeting + "\n");
            Git("init", "--quiet", work);
            Git("-C", work, "add", ".");
            Git("-C", work, "-c", "user.name=Corral", "-c", "user.email=dev@corral.example", "commit", "--quiet", "--message", "A greeting");
            Git("clone", "--quiet", "--bare", work, bare);
            Git("-C", bare, "update-server-info");
        }
        finally
        {
            System.IO.Directory.Delete(work, recursive: true);
        }
    }

    private static void Write(string path, string content, bool executable = false)
    {
        System.IO.Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content);
        if (executable) File.SetUnixFileMode(path, (UnixFileMode)Convert.ToInt32("755", 8));
    }
}
