using Corral.Api.V1;
using Corral.Sessions.Records;
using Google.Protobuf.WellKnownTypes;

namespace Corral.Sessions.Grpc;

/// <summary>Records as their organisation sees them.</summary>
internal static class Sandboxes
{
    public static Sandbox ToSandbox(this SandboxRecord record)
    {
        var sandbox = new Sandbox
        {
            SandboxId = record.Id,
            State = record.State,
            Runtime = record.Runtime,
            Size = record.Size,
            Shape = record.Machine.ToPublic(),
            CreatedAt = record.CreatedAt.ToTimestamp(),
            StartedAt = record.StartedAt?.ToTimestamp(),
            EndedAt = record.EndedAt?.ToTimestamp(),
            ExpiresAt = record.ExpiresAt?.ToTimestamp(),
            MaxDurationMs = record.MaxDurationMs,
            Ephemeral = record.Ephemeral,
            NetworkPolicy = record.PublicPolicy(),
            Capabilities = record.Capabilities is { } capabilities ? Capabilities.Parser.ParseFrom(capabilities) : null,
        };
        sandbox.EnvNames.AddRange(record.EnvNames);
        if (record.Region.Length > 0 || record.AskedRegion.Length > 0)
        {
            sandbox.Region = record.Region.Length > 0 ? record.Region : record.AskedRegion;
        }

        if (record.NodeId.Length > 0)
        {
            sandbox.Isolation = record.Isolation;
        }

        if (record.TakesWork)
        {
            // No token in it: who may read of a sandbox may not type in it for that.
            sandbox.TerminalUrl = "/v1/sandboxes/terminal/socket?id=" + record.Id;
        }

        if (record.DurationMs is { } duration)
        {
            sandbox.DurationMs = duration;
        }

        if (record.FailureReason is { } failure)
        {
            sandbox.FailureReason = failure;
        }

        if (record.EndedBy is { } key)
        {
            sandbox.EndedBy = key;
        }

        if (record.EndReason is { } reason)
        {
            sandbox.EndReason = reason;
        }

        return sandbox;
    }

    /// <summary>Its policy, masked; null when it was made before there were any.</summary>
    public static NetworkPolicy? PublicPolicy(this SandboxRecord record) =>
        record.Policy is { } policy ? NetworkPolicy.Parser.ParseFrom(policy.Public) : null;
}
