using System.Runtime.InteropServices;

namespace Corral.NodeAgent.Host.Seccomp;

/// <summary>
/// Compiles <see cref="SeccompProfile"/> to BPF once, by libseccomp: the runtime would otherwise do it anew for every box, 11 ms each.
/// </summary>
internal static unsafe partial class SeccompCompiler
{
    private const string Library = "libseccomp.so.2";
    private const uint Allow = 0x7fff0000, Errno = 0x00050000;

    /// <summary>The filter program, or null when this host has no libseccomp.</summary>
    public static byte[]? TryCompile() => NativeLibrary.TryLoad(Library, out _) ? Compile() : null;

    private static byte[] Compile()
    {
        var filter = Init(Errno | SeccompProfile.EPerm);
        if (filter == 0) throw new HostException("seccomp_init failed.");
        try
        {
            _ = SetAttribute(filter, 8 /* SCMP_FLTATR_CTL_OPTIMIZE */, 2 /* binary tree */);
            foreach (var name in SeccompProfile.Allowed) Add(filter, Allow, name, null);
            foreach (var rule in SeccompProfile.Conditional) Add(filter, Allow, rule.Call, rule);
            foreach (var name in SeccompProfile.NotImplemented) Add(filter, Errno | SeccompProfile.ENoSys, name, null);
            using var memory = new Fd(Libc.Check(Libc.memfd_create("seccomp", 1), "memfd_create"));
            if (Export(filter, memory.Value) != 0) throw new HostException("seccomp_export_bpf failed.");
            var length = (int)Libc.lseek(memory.Value, 0, 2);
            _ = Libc.lseek(memory.Value, 0, 0);
            var program = new byte[length];
            fixed (byte* p = program)
            {
                if (Libc.read(memory.Value, p, (nuint)length) != length) throw new HostException("The compiled filter could not be read back.");
            }

            return program;
        }
        finally
        {
            Release(filter);
        }
    }

    private static void Add(nint filter, uint action, string name, SeccompRule? rule)
    {
        var number = Resolve(name);
        if (number < 0) return; // not a call of this architecture, or newer than the library
        var test = rule is null ? default : new Comparison
        {
            Argument = rule.Argument,
            Operation = (int)rule.Test,
            First = rule.Value,
            Second = 0,
        };
        var error = AddRule(filter, action, number, rule is null ? 0u : 1u, &test);
        if (error != 0) throw new HostException($"seccomp_rule_add {name}", -error);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Comparison
    {
        public uint Argument;
        public int Operation;
        public ulong First, Second;
    }

    [LibraryImport(Library, EntryPoint = "seccomp_init")]
    private static partial nint Init(uint defaultAction);

    [LibraryImport(Library, EntryPoint = "seccomp_release")]
    private static partial void Release(nint filter);

    [LibraryImport(Library, EntryPoint = "seccomp_attr_set")]
    private static partial int SetAttribute(nint filter, int attribute, uint value);

    [LibraryImport(Library, EntryPoint = "seccomp_syscall_resolve_name", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Resolve(string name);

    [LibraryImport(Library, EntryPoint = "seccomp_rule_add_array")]
    private static partial int AddRule(nint filter, uint action, int call, uint count, Comparison* tests);

    [LibraryImport(Library, EntryPoint = "seccomp_export_bpf")]
    private static partial int Export(nint filter, int fd);
}
