using System.Text.Json;

namespace Corral.Bench;

/// <summary>The base template as one mounted tree, for the peers: they run what Corral's sandboxes run.</summary>
internal sealed class TemplateRoot : IAsyncDisposable
{
    private TemplateRoot(string folder) => Folder = folder;

    public string Folder { get; }

    public string Path => System.IO.Path.Combine(Folder, "root");

    public static async Task<TemplateRoot> MountAsync()
    {
        var templates = Environment.GetEnvironmentVariable("CORRAL_TEMPLATES") ?? "/var/lib/corral/templates";
        using var manifest = JsonDocument.Parse(await File.ReadAllTextAsync(System.IO.Path.Combine(templates, "base.json")));
        var layers = manifest.RootElement.GetProperty("layers").EnumerateArray().Select(l => l.GetString()!).Reverse().ToList();
        var root = new TemplateRoot(Directory.CreateTempSubdirectory("corral-bench-").FullName);
        foreach (var name in new[] { "root", "upper", "work" })
        {
            Directory.CreateDirectory(System.IO.Path.Combine(root.Folder, name));
        }

        await Command.RunAsync("mount", "-t", "tmpfs", "none", System.IO.Path.Combine(root.Folder, "upper"));
        foreach (var name in new[] { "u", "w" })
        {
            Directory.CreateDirectory(System.IO.Path.Combine(root.Folder, "upper", name));
        }

        await Command.RunAsync(
            "mount", "-t", "overlay", "overlay", "-o",
            $"lowerdir={string.Join(':', layers)},upperdir={root.Folder}/upper/u,workdir={root.Folder}/upper/w", root.Path);
        return root;
    }

    public async ValueTask DisposeAsync()
    {
        await Command.RunAsync("umount", Path);
        await Command.RunAsync("umount", System.IO.Path.Combine(Folder, "upper"));
        Directory.Delete(Folder, recursive: true);
    }
}
