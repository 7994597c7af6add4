namespace Corral.Egress.Audit;

/// <summary>Where the audit lies: a directory that only the service's own user can enter.</summary>
internal sealed class AuditPlace
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    public AuditPlace(string directory)
    {
        Directory = directory;
        System.IO.Directory.CreateDirectory(directory, OwnerOnly);
    }

    public string Directory { get; }
}
