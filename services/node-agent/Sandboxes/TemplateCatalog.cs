using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Corral.NodeAgent.Sandboxes;

/// <summary>The templates in <c>CORRAL_TEMPLATES</c>, read again when their manifests change.</summary>
internal sealed class TemplateCatalog(string directory)
{
    private readonly ConcurrentDictionary<string, (DateTime Written, Template Template)> _known = new();

    public IReadOnlyList<string> Names =>
        Directory.Exists(directory)
            ? [.. Directory.EnumerateFiles(directory, "*.json").Select(path => Path.GetFileNameWithoutExtension(path)).Where(name => Find(name) is not null).Order()]
            : [];

    /// <summary>A template that is there, whole; null for any other.</summary>
    public Template? Find(string name)
    {
        // Names come from callers: nothing but a plain file name leads to a file.
        if (name.Length is 0 or > 128 || name.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.')) || name[0] == '.') return null;
        var path = Path.Combine(directory, name + ".json");
        var written = File.GetLastWriteTimeUtc(path); // 1601 when there is none
        if (_known.TryGetValue(name, out var known) && known.Written == written) return known.Template;
        if (!File.Exists(path) || Read(path) is not { } template || !template.Layers.All(Directory.Exists)) return null;
        _known[name] = (written, template);
        return template;
    }

    private static Template? Read(string path)
    {
        try
        {
            var template = JsonSerializer.Deserialize(File.ReadAllBytes(path), TemplateJson.Default.Template);
            return template is { Name.Length: > 0, Layers.Count: > 0 } ? template : null;
        }
        catch (Exception problem) when (problem is JsonException or IOException)
        {
            return null;
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(Template))]
internal sealed partial class TemplateJson : JsonSerializerContext;

/// <summary>A template's manifest.</summary>
internal sealed record Template
{
    public string Name { get; init; } = "";

    /// <summary>Changes whenever its content does.</summary>
    public string Digest { get; init; } = "";

    /// <summary>Directories, the lowest first.</summary>
    public IReadOnlyList<string> Layers { get; init; } = [];

    /// <summary>Environment of every command, below the sandbox's own.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>The guest's program, when the template brings its own.</summary>
    public string? Guest { get; init; }
}
