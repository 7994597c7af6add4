using System.ComponentModel.DataAnnotations;
using Corral.Addresses;
using Microsoft.Extensions.Options;

namespace Corral.Sessions.Webhooks;

/// <summary>Settings of webhooks, section <c>Webhooks</c>.</summary>
internal sealed class WebhookOptions
{
    /// <summary>Webhooks that an organisation may have. 20 by default.</summary>
    [Range(0, 10_000)]
    public int Most { get; set; } = 20;

    /// <summary>Whether URLs may be plain http. False by default.</summary>
    public bool AllowHttp { get; set; }

    /// <summary>Ranges that may be sent to although they are not public: private, local, reserved, the host's own. None by default.</summary>
    [Required]
    public string[] PermittedRanges { get; set; } = [];

    /// <summary>How long a receiver has for its answer. 15 s by default.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:00:25")]
    public TimeSpan AnswerPatience { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How often a delivery is tried. 8 times by default.</summary>
    [Range(1, 20)]
    public int Attempts { get; set; } = 8;

    /// <summary>The pause after the first failure; each is four times the one before. 15 s by default.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "01:00:00")]
    public TimeSpan FirstPause { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long after its first attempt a delivery is given up, however often it was tried. 24 h by default.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "30.00:00:00")]
    public TimeSpan Patience { get; set; } = TimeSpan.FromHours(24);

    /// <summary>A webhook whose every attempt failed for so long is disabled. 3 days by default.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "365.00:00:00")]
    public TimeSpan DisabledAfter { get; set; } = TimeSpan.FromDays(3);

    /// <summary>Attempts at one webhook at once. 4 by default.</summary>
    [Range(1, 1000)]
    public int ConcurrencyPerWebhook { get; set; } = 4;

    /// <summary>Attempts of one replica at once. 256 by default.</summary>
    [Range(1, 10_000)]
    public int Concurrency { get; set; } = 256;

    /// <summary>Deliveries that wait for one webhook; further events wait in the log. 10 000 by default.</summary>
    [Range(1, 1_000_000)]
    public int MostWaiting { get; set; } = 10_000;

    /// <summary>How long deliveries can be looked up. 7 days by default.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "30.00:00:00")]
    public TimeSpan DeliveriesKept { get; set; } = TimeSpan.FromDays(7);
}

/// <summary>Refuses settings that cannot be meant, before the service listens.</summary>
[OptionsValidator]
internal sealed partial class WebhookOptionsValidator : IValidateOptions<WebhookOptions>;

/// <summary>Refuses ranges that cannot be read, before the service listens.</summary>
internal sealed class PermittedRangesValidator : IValidateOptions<WebhookOptions>
{
    public ValidateOptionsResult Validate(string? name, WebhookOptions options) =>
        options.PermittedRanges.FirstOrDefault(text => !AddressRange.TryParse(text, out _)) is { } wrong
            ? ValidateOptionsResult.Fail($"Webhooks:PermittedRanges: '{wrong}' is no range.")
            : ValidateOptionsResult.Success;
}
