using Corral.Hosting;

namespace Corral.Sessions.Organizations;

/// <summary>Names that people give.</summary>
internal static class Names
{
    private const int MaxLength = 100;

    /// <summary>A name without the space around it; refuses one that is empty, too long, or cannot be shown.</summary>
    public static string Check(string field, string name)
    {
        var trimmed = name.Trim();
        return trimmed.Length is > 0 and <= MaxLength && !trimmed.Any(char.IsControl)
            ? trimmed
            : throw RpcErrors.InvalidArgument(field, $"must be 1 to {MaxLength} characters that can be shown");
    }
}
