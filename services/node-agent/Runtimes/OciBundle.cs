using System.Text.Json;
using Corral.NodeAgent.Host;
using Corral.NodeAgent.Host.Seccomp;

namespace Corral.NodeAgent.Runtimes;

/// <summary>Writes the config.json of a box.</summary>
internal static class OciBundle
{
    public const string GuestPath = "/run/corral/guest";

    /// <summary>Enough for package managers and to become another user inside; nothing that reaches devices, networks or the kernel.</summary>
    private static readonly string[] Capabilities =
        ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETGID", "CAP_SETUID"];

    private static readonly string[] Masked =
    [
        "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
        "/proc/timer_list", "/proc/timer_stats", "/proc/interrupts",
    ];

    private static readonly string[] ReadOnly = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

    public static void Write(Stream stream, BoxSpec spec, OciFlavour flavour)
    {
        using var json = new Utf8JsonWriter(stream);
        json.WriteStartObject();
        json.WriteString("ociVersion", "1.0.2");
        json.WriteString("hostname", "sandbox");
        json.WriteStartObject("root");
        json.WriteString("path", spec.Root);
        json.WriteBoolean("readonly", false);
        json.WriteEndObject();
        WriteProcess(json, spec, flavour);
        WriteMounts(json, spec, flavour);
        if (flavour.SeccompBpf is not null)
        {
            json.WriteStartObject("annotations");
            json.WriteString("run.oci.seccomp_bpf_data", flavour.SeccompBpf);
            json.WriteEndObject();
        }

        WriteLinux(json, spec, flavour);
        json.WriteEndObject();
    }

    private static void WriteProcess(Utf8JsonWriter json, BoxSpec spec, OciFlavour flavour)
    {
        json.WriteStartObject("process");
        json.WriteBoolean("terminal", false);
        json.WriteBoolean("noNewPrivileges", true);
        json.WriteString("cwd", "/");
        // When the host runs out of memory, boxes die before anything of ours; inside a box, the guest has its commands die before itself.
        json.WriteNumber("oomScoreAdj", 500);
        json.WriteStartObject("user");
        json.WriteNumber("uid", 0);
        json.WriteNumber("gid", 0);
        json.WriteEndObject();
        WriteList(json, "args", [GuestPath, .. spec.GuestArguments]);
        WriteList(json, "env", spec.GuestEnvironment);
        json.WriteStartObject("capabilities");
        WriteList(json, "bounding", Capabilities);
        WriteList(json, "effective", Capabilities);
        WriteList(json, "permitted", Capabilities);
        json.WriteEndObject();
        json.WriteStartArray("rlimits");
        WriteLimit(json, "RLIMIT_NOFILE", 7, 65536, flavour);
        WriteLimit(json, "RLIMIT_NPROC", 6, (ulong)spec.Limits.Processes, flavour);
        WriteLimit(json, "RLIMIT_CORE", 4, 0, flavour);
        // gVisor's kernel is one process to the host: when the cgroup's limit is hit, all of it dies. So its own kernel refuses memory to
        // one greedy process before that.
        if (flavour.OwnKernel) WriteLimit(json, "RLIMIT_DATA", 2, (ulong)(spec.Limits.MemoryBytes / 10 * 9), flavour);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteMounts(Utf8JsonWriter json, BoxSpec spec, OciFlavour flavour)
    {
        json.WriteStartArray("mounts");
        WriteMount(json, "/proc", "proc", "proc", "nosuid", "noexec", "nodev");
        WriteMount(json, "/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k");
        WriteMount(json, "/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5");
        WriteMount(json, "/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", $"size={spec.Limits.MemoryBytes / 2048}k");
        if (flavour.OwnKernel) WriteMount(json, "/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro");
        // A user namespace may not mount sysfs over a network that it does not own; runtimes then bind the host's. An empty one instead.
        else WriteMount(json, "/sys", "tmpfs", "tmpfs", "nosuid", "noexec", "nodev", "ro", "size=4k", "nr_inodes=1", "mode=555");
        WriteMount(json, GuestPath, "bind", spec.GuestBinary, "bind", "ro", "nosuid", "nodev");
        json.WriteEndArray();
    }

    private static void WriteLinux(Utf8JsonWriter json, BoxSpec spec, OciFlavour flavour)
    {
        json.WriteStartObject("linux");
        json.WriteStartArray("namespaces");
        // The network is the one that the runtime itself is started in: left out says so, other than to gVisor, which would make a new one.
        if (flavour.OwnKernel)
        {
            json.WriteStartObject();
            json.WriteString("type", "network");
            json.WriteString("path", "/proc/self/ns/net");
            json.WriteEndObject();
        }

        string[] kinds = flavour.FirstId > 0 ? ["pid", "ipc", "uts", "mount", "cgroup", "user"] : ["pid", "ipc", "uts", "mount"];
        foreach (var kind in kinds)
        {
            json.WriteStartObject();
            json.WriteString("type", kind);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        if (flavour.FirstId > 0)
        {
            WriteMapping(json, "uidMappings", flavour.FirstId);
            WriteMapping(json, "gidMappings", flavour.FirstId);
        }

        WriteList(json, "maskedPaths", Masked);
        WriteList(json, "readonlyPaths", ReadOnly);
        json.WriteString("rootfsPropagation", "private");
        if (flavour.CgroupsParent is not null) WriteCgroup(json, spec, flavour.CgroupsParent);
        if (flavour.SeccompSection) WriteSeccomp(json);
        json.WriteEndObject();
    }

    private static void WriteCgroup(Utf8JsonWriter json, BoxSpec spec, string parent)
    {
        json.WriteString("cgroupsPath", $"/{parent}/{spec.Box}");
        json.WriteStartObject("resources");
        json.WriteStartArray("devices");
        json.WriteStartObject();
        json.WriteBoolean("allow", false);
        json.WriteString("access", "rwm");
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteStartObject("pids");
        json.WriteNumber("limit", spec.Limits.Processes + SpareProcesses);
        json.WriteEndObject();
        json.WriteStartObject("memory");
        json.WriteNumber("limit", spec.Limits.MemoryBytes);
        json.WriteEndObject();
        json.WriteStartObject("cpu");
        json.WriteNumber("period", 100_000);
        json.WriteNumber("quota", (long)(spec.Limits.Cpus * 100_000));
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>Processes beyond a user's limit that a box may have: the guest's own threads, and room for root to put things right.</summary>
    public const int SpareProcesses = 64;

    private static void WriteSeccomp(Utf8JsonWriter json)
    {
        json.WriteStartObject("seccomp");
        json.WriteString("defaultAction", "SCMP_ACT_ERRNO");
        json.WriteNumber("defaultErrnoRet", SeccompProfile.EPerm);
        json.WriteStartArray("syscalls");
        json.WriteStartObject();
        WriteList(json, "names", SeccompProfile.Allowed);
        json.WriteString("action", "SCMP_ACT_ALLOW");
        json.WriteEndObject();
        foreach (var rule in SeccompProfile.Conditional)
        {
            json.WriteStartObject();
            WriteList(json, "names", [rule.Call]);
            json.WriteString("action", "SCMP_ACT_ALLOW");
            json.WriteStartArray("args");
            json.WriteStartObject();
            json.WriteNumber("index", rule.Argument);
            json.WriteNumber("value", rule.Value);
            json.WriteNumber("valueTwo", 0);
            json.WriteString("op", rule.Test switch
            {
                SeccompTest.Equal => "SCMP_CMP_EQ",
                _ => "SCMP_CMP_MASKED_EQ",
            });
            json.WriteEndObject();
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteStartObject();
        WriteList(json, "names", SeccompProfile.NotImplemented);
        json.WriteString("action", "SCMP_ACT_ERRNO");
        json.WriteNumber("errnoRet", SeccompProfile.ENoSys);
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteMapping(Utf8JsonWriter json, string name, int first)
    {
        json.WriteStartArray(name);
        json.WriteStartObject();
        json.WriteNumber("containerID", 0);
        json.WriteNumber("hostID", first);
        json.WriteNumber("size", 65536);
        json.WriteEndObject();
        json.WriteEndArray();
    }

    private static void WriteMount(Utf8JsonWriter json, string target, string type, string source, params string[] options)
    {
        json.WriteStartObject();
        json.WriteString("destination", target);
        json.WriteString("type", type);
        json.WriteString("source", source);
        WriteList(json, "options", options);
        json.WriteEndObject();
    }

    // A node without CAP_SYS_RESOURCE cannot go above its own hard limits, and asking for more fails the whole start.
    private static unsafe void WriteLimit(Utf8JsonWriter json, string name, int number, ulong value, OciFlavour flavour)
    {
        if (!flavour.OwnKernel && Libc.GetRlimit(number, out var own) == 0) value = Math.Min(value, own.Maximum);
        json.WriteStartObject();
        json.WriteString("type", name);
        json.WriteNumber("hard", value);
        json.WriteNumber("soft", value);
        json.WriteEndObject();
    }

    private static void WriteList(Utf8JsonWriter json, string name, IEnumerable<string> values)
    {
        json.WriteStartArray(name);
        foreach (var value in values) json.WriteStringValue(value);
        json.WriteEndArray();
    }
}
