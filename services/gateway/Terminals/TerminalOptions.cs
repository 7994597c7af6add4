using Microsoft.Extensions.Options;

namespace Corral.Gateway.Terminals;

/// <summary>Settings of the terminals' WebSockets, section <c>Terminals</c>.</summary>
public sealed class TerminalOptions
{
    /// <summary>
    /// Origins, such as <c>https://app.example</c>, whose pages may open terminals, besides the gateway's own and those of this host's loopback; <c>*</c> for all.
    /// </summary>
    public IList<string> AllowedOrigins { get; } = [];

    /// <summary>How clients reach the JSON API, such as <c>https://sandboxes.example</c>; empty means as each request says.</summary>
    public string PublicUrl { get; set; } = "";

    /// <summary>A viewer that takes nothing of what it is sent for so long is let go.</summary>
    public TimeSpan SendTimeout { get; set; } = TimeSpan.FromSeconds(60);
}

/// <summary>Refuses bad settings before the gateway listens.</summary>
internal sealed class TerminalOptionsValidator : IValidateOptions<TerminalOptions>
{
    public ValidateOptionsResult Validate(string? name, TerminalOptions options)
    {
        if (options.AllowedOrigins.FirstOrDefault(origin => origin != "*" && !IsOrigin(origin)) is { } bad)
        {
            return ValidateOptionsResult.Fail($"Terminals:AllowedOrigins: '{bad}' is no origin, such as https://app.example.");
        }

        if (options.PublicUrl.Length > 0 && !IsOrigin(options.PublicUrl))
        {
            return ValidateOptionsResult.Fail("Terminals:PublicUrl must be a scheme, a host and a port, such as https://sandboxes.example.");
        }

        return options.SendTimeout > TimeSpan.Zero ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail("Terminals:SendTimeout must be above 0.");
    }

    private static bool IsOrigin(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.GetLeftPart(UriPartial.Authority) == text;
}
