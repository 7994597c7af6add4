namespace Corral.Clients.Tests.Lab;

/// <summary>A program that speaks HTTP.</summary>
/// <param name="Runtime">The runtime of the sandboxes that have it.</param>
/// <param name="Protocol">What it speaks with a server that offers all.</param>
/// <param name="Line">A shell line that asks for <c>$URL/hello</c> and prints the answer: nothing in it concerns trust.</param>
/// <param name="Trusting">How its user tells it to trust the authority in <c>$CA</c>, and no other that a sandbox has: put before the line, or in place of <c>@</c> in it.</param>
internal sealed record WebClient(string Runtime, string Protocol, string Line, string Trusting)
{
    /// <summary>The line of one who changed nothing.</summary>
    public string AsItComes => Line.Replace(" @", "", StringComparison.Ordinal);

    /// <summary>The line of one who named the authority.</summary>
    public string Told => Line.Contains(" @", StringComparison.Ordinal) ? Line.Replace("@", Trusting, StringComparison.Ordinal) : $"{Trusting} {Line}";
}
