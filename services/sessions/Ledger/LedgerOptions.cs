using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Corral.Sessions.Ledger;

/// <summary>How what is over is kept, in section <c>Ledger</c>.</summary>
internal sealed class LedgerOptions
{
    /// <summary>How long the record of a sandbox is kept after its end.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3650.00:00:00")]
    public TimeSpan KeepFor { get; set; } = TimeSpan.FromDays(30);
}

/// <summary>Refuses bad settings before the service listens.</summary>
[OptionsValidator]
internal sealed partial class LedgerOptionsValidator : IValidateOptions<LedgerOptions>;
