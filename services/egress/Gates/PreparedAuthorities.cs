using Corral.Egress.Termination;

namespace Corral.Egress.Gates;

/// <summary>Authorities of gates that no sandbox has yet, so that they are trusted inside before one comes. Each is given to one sandbox only.</summary>
internal sealed class PreparedAuthorities(TimeProvider clock) : IDisposable
{
    private const int Most = 4096;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, SandboxAuthority> _byGate = new(StringComparer.Ordinal);

    /// <summary>The certificate of a gate's authority, made when there is none.</summary>
    public string Prepare(string gatePath)
    {
        if (!File.Exists(gatePath)) throw new GateException("The gate's namespace is not there.");
        lock (_lock)
        {
            if (_byGate.TryGetValue(gatePath, out var present)) return present.CertificatePem;
            if (_byGate.Count >= Most) DropGone();
            if (_byGate.Count >= Most) throw new GateException("Too many gates wait for a sandbox.");
            var authority = _byGate[gatePath] = SandboxAuthority.Create(Path.GetFileNameWithoutExtension(gatePath), clock);
            return authority.CertificatePem;
        }
    }

    /// <summary>Gives a gate's authority away; null when none was made ahead.</summary>
    public SandboxAuthority? Take(string gatePath)
    {
        lock (_lock) return _byGate.Remove(gatePath, out var authority) ? authority : null;
    }

    public void Dispose()
    {
        foreach (var authority in _byGate.Values) authority.Dispose();
    }

    // A warm box that nobody wanted leaves its authority behind; nobody says so.
    private void DropGone()
    {
        foreach (var path in _byGate.Keys.Where(path => !File.Exists(path)).ToList())
        {
            _byGate.Remove(path, out var authority);
            authority!.Dispose();
        }
    }
}
