using System.ComponentModel.DataAnnotations;
using Corral.Egress.Policies;

namespace Corral.Egress;

/// <summary>Settings of the egress service, section <c>Egress</c>.</summary>
internal sealed class EgressOptions
{
    /// <summary>Resolvers to ask, as <c>address</c> or <c>address:port</c>; empty means those of <c>/etc/resolv.conf</c>.</summary>
    [Required]
    public string[] Resolvers { get; set; } = [];

    /// <summary>
    /// Ranges that are refused otherwise (private, local, reserved, the host's own) and that a policy's <c>allow_cidrs</c> may open. None by default.
    /// </summary>
    [Required]
    public string[] PermittedRanges { get; set; } = [];

    /// <summary>Open connections of a sandbox whose policy says nothing of them. 512 by default.</summary>
    [Range(1, 100_000)]
    public int Connections { get; set; } = 512;

    /// <summary>New connections of a sandbox in a second. 100 by default.</summary>
    [Range(1, 100_000)]
    public int ConnectionsPerSecond { get; set; } = 100;

    /// <summary>Bytes of a sandbox in a second, both directions together. 0, the default, is no limit.</summary>
    [Range(0, long.MaxValue)]
    public long BytesPerSecond { get; set; }

    /// <summary>Questions of a sandbox to the resolver in a second. 50 by default.</summary>
    [Range(1, 100_000)]
    public int QuestionsPerSecond { get; set; } = 50;

    /// <summary>How long to wait for a destination to take a connection. 10 s by default.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:05:00")]
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a sandbox may take for the first bytes that a decision needs. 10 s by default.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:05:00")]
    public TimeSpan HelloTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>A PEM file of authorities that servers and proxies may have their certificates from, besides those that the host trusts. None by default.</summary>
    public string? TrustedAuthorities { get; set; }

    /// <summary>For how long neither side of a request may send anything before it is given up. 1 h by default: a WebSocket may be silent for long.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "24:00:00")]
    public TimeSpan RequestSilence { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Whether the audit keeps the paths of requests. It never keeps their queries.</summary>
    public bool AuditPaths { get; set; } = true;

    /// <summary>Bytes of audit kept for each sandbox. 4 MiB by default.</summary>
    [Range(64 * 1024, 1L << 30)]
    public long AuditBytes { get; set; } = 4 << 20;

    /// <summary>Bytes of audit kept for all sandboxes together, those that are gone included. 2 GiB by default.</summary>
    [Range(1 << 20, long.MaxValue)]
    public long AuditTotalBytes { get; set; } = 2L << 30;

    /// <summary>How long the audit of a sandbox is kept after its last record. 30 days by default.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3650.00:00:00")]
    public TimeSpan AuditTime { get; set; } = TimeSpan.FromDays(30);

    public PolicyLimits Limits => new(Connections, ConnectionsPerSecond, BytesPerSecond, QuestionsPerSecond);
}
