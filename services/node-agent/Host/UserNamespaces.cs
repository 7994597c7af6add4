namespace Corral.NodeAgent.Host;

/// <summary>A user namespace only for its mapping: the kernel wants one to show a mount's owners through.</summary>
internal static unsafe class UserNamespaces
{
    /// <summary>Maps ids 0 to 65535 to those from <paramref name="firstId"/> on.</summary>
    public static Fd Create(int firstId)
    {
        using var nothing = Fd.Open("/dev/null", Libc.ORdWr);
        // A process with threads cannot make one, so a child does, and stops itself to say that it has.
        var child = HostProcess.Spawn(HostProcess.Locate("unshare"), ["--user", "/bin/sh", "-c", "kill -STOP $$"], nothing, nothing);
        try
        {
            int status;
            Libc.Check(Libc.waitpid(child, &status, 2 /* WUNTRACED */), "wait for unshare");
            if ((status & 0xff) != 0x7f) throw new HostException("This kernel makes no user namespaces.");
            foreach (var map in new[] { "uid_map", "gid_map" }) File.WriteAllText($"/proc/{child}/{map}", $"0 {firstId} 65536");
            return Fd.Open($"/proc/{child}/ns/user", Libc.ORdOnly);
        }
        finally
        {
            _ = Libc.kill(child, Libc.SigKill);
            HostProcess.Wait(child);
        }
    }
}
