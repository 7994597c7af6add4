using System.Text;
using Corral.Hosting;
using Corral.Sessions.Organizations;

namespace Corral.Sessions.Keys;

/// <summary>The first organisation and its key, the operator's, which lies in a file of the instance.</summary>
internal sealed class BootstrapKey(KeyStore keys, OrganizationStore organizations, TimeProvider clock)
{
    private const string Organization = "org-bootstrap";

    /// <summary>Makes both, at every start: the file comes first, so that the key that it holds is always one that works.</summary>
    public async Task EnsureAsync()
    {
        var path = CorralPaths.BootstrapKey;
        if (!File.Exists(path))
        {
            await WriteNewAsync(path);
        }

        var text = (await File.ReadAllTextAsync(path)).Trim();
        await organizations.AddAsync(new OrganizationFacts(Organization, "operator", "scale", clock.GetUtcNow()));
        await keys.AddAsync(Organization, text, new KeyFacts(KeyStore.BootstrapKeyId, "operator", KeyText.Hint(text), [], clock.GetUtcNow(), null), int.MaxValue);
    }

    // Two replicas may come here at once: each has a file of its own, and the first one's gets the name.
    private static async Task WriteNewAsync(string path)
    {
        var temporary = $"{path}.{Path.GetRandomFileName()}";
        await using (var file = new FileStream(temporary, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            await file.WriteAsync(Encoding.ASCII.GetBytes(KeyText.New() + "\n"));
            file.Flush(flushToDisk: true);
        }

        try
        {
            File.Move(temporary, path);
        }
        catch (IOException) when (File.Exists(path))
        {
            File.Delete(temporary);
        }
    }
}
