using System.Globalization;
using Corral.Hosting;
using Grpc.Core;

namespace Corral.Gateway.RateLimits;

/// <summary>What became of a token that was asked for.</summary>
/// <param name="Taken">Whether there was one.</param>
/// <param name="Left">How many there are now.</param>
/// <param name="Wait">How long until there is one.</param>
/// <param name="Full">How long until there are all.</param>
/// <param name="Figures">The bucket's figures.</param>
internal sealed record RateAnswer(bool Taken, int Left, TimeSpan Wait, TimeSpan Full, RateFigures Figures)
{
    /// <summary>Tells the client where it stands.</summary>
    public void WriteTo(IHeaderDictionary headers)
    {
        headers["RateLimit-Limit"] = Text(Figures.Burst);
        headers["RateLimit-Remaining"] = Text(Left);
        headers["RateLimit-Reset"] = Text((int)Math.Ceiling(Full.TotalSeconds));
        headers["RateLimit-Policy"] = $"{Text(Figures.PerMinute)};w=60;burst={Text(Figures.Burst)}";
    }

    /// <summary>What a caller is told for whom there was no token.</summary>
    public RpcException Refusal(string plan)
    {
        var facts = new Dictionary<string, string>
        {
            ["limit"] = Text(Figures.PerMinute),
            ["burst"] = Text(Figures.Burst),
            ["currentPlan"] = plan,
        };
        return RpcErrors.ResourceExhausted("RATE_LIMIT_EXCEEDED", "Rate limit exceeded. Please try again later.", facts, Wait);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
