using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Corral.Gateway.Idempotency;

/// <summary>How answers are kept for requests that are made again, in section <c>Idempotency</c>.</summary>
internal sealed class IdempotencyOptions
{
    /// <summary>How long a key is remembered.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "30.00:00:00")]
    public TimeSpan KeepFor { get; set; } = TimeSpan.FromHours(24);

    /// <summary>How long a request is taken to be running after its gateway was last heard of.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>The longest answer that is kept, in bytes.</summary>
    [Range(0, 16 * 1024 * 1024)]
    public int MaxAnswerBytes { get; set; } = 256 * 1024;

    /// <summary>How many bytes of answers are kept for an organisation in an hour.</summary>
    [Range(0, 1024 * 1024 * 1024)]
    public int BytesPerHour { get; set; } = 16 * 1024 * 1024;
}

/// <summary>Refuses bad settings before the service listens.</summary>
[OptionsValidator]
internal sealed partial class IdempotencyOptionsValidator : IValidateOptions<IdempotencyOptions>;
