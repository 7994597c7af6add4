using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Corral.Sessions.Policies;

/// <summary>Settings of network policies, section <c>NetworkPolicy</c>.</summary>
internal sealed class PolicyOptions
{
    /// <summary>The mode of a sandbox that is made without a policy: <c>allow-all</c> or <c>deny-all</c>.</summary>
    [RegularExpression("^(allow-all|deny-all)$")]
    public string DefaultMode { get; set; } = "allow-all";

    /// <summary>Names that a policy may list.</summary>
    [Range(0, 10_000)]
    public int MaxDomains { get; set; } = 50;

    /// <summary>Ranges that a policy may list.</summary>
    [Range(0, 10_000)]
    public int MaxCidrs { get; set; } = 10;

    /// <summary>Transforms that a policy may have.</summary>
    [Range(0, 10_000)]
    public int MaxTransforms { get; set; } = 20;

    /// <summary>Secrets that an organisation may have.</summary>
    [Range(0, 1_000_000)]
    public int MaxSecrets { get; set; } = 1000;

    /// <summary>How long the answer to a change waits until the change is in force.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:00:25")]
    public TimeSpan ForcePatience { get; set; } = TimeSpan.FromSeconds(10);
}

/// <summary>Refuses bad settings before the service listens.</summary>
[OptionsValidator]
internal sealed partial class PolicyOptionsValidator : IValidateOptions<PolicyOptions>;
