using System.Text.Json;
using System.Text.Json.Serialization;

namespace Corral.NodeAgent.Sandboxes;

/// <summary>One file a box, written before anything of the box is made and removed after the last of it is gone.</summary>
internal sealed class Journal(string directory)
{
    /// <summary>
    /// Writes the record so that a crash of the node finds the old or the new one, whole. The answer completes when a crash of the host
    /// would too: on a hot path that may be awaited later, because nothing of a box survives such a crash anyway.
    /// </summary>
    public Task WriteAsync(BoxRecord record)
    {
        var path = PathOf(record.Box);
        var fresh = path + ".new";
        var file = new FileStream(fresh, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        try
        {
            file.Write(JsonSerializer.SerializeToUtf8Bytes(record, JournalJson.Default.BoxRecord));
            File.Move(fresh, path, overwrite: true);
        }
        catch
        {
            file.Dispose();
            throw;
        }

        return Task.Run(() =>
        {
            using (file) file.Flush(flushToDisk: true);
        });
    }

    public void Remove(string box)
    {
        File.Delete(PathOf(box));
        File.Delete(PathOf(box) + ".new");
    }

    /// <summary>Every box that has a file; one whose record cannot be read comes with null.</summary>
    public IReadOnlyDictionary<string, BoxRecord?> Read()
    {
        var found = new Dictionary<string, BoxRecord?>();
        foreach (var path in Directory.EnumerateFiles(directory))
        {
            var name = Path.GetFileName(path).Split('.')[0];
            if (path.EndsWith(".json", StringComparison.Ordinal)) found[name] = ReadOne(path);
            else found.TryAdd(name, null);
        }

        return found;
    }

    private string PathOf(string box) => Path.Combine(directory, box + ".json");

    private static BoxRecord? ReadOne(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), JournalJson.Default.BoxRecord);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

[JsonSerializable(typeof(BoxRecord))]
internal sealed partial class JournalJson : JsonSerializerContext;
