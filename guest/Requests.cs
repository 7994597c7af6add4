using System.Text;
using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>What a request must be before anything is done for it.</summary>
internal static class Requests
{
    /// <summary>The longest path, in bytes.</summary>
    public const int MaxPath = 4096;

    /// <summary>What is wrong with it; null when nothing is.</summary>
    public static GuestError? Check(GuestRequest request)
    {
        if (request.Command is null || request.Environment is null || request.Exclude is null || request.Exclude.Contains(null!) || request.Command.Contains(null!) || request.Environment.Values.Contains(null!))
        {
            return new GuestError("other", "The request is not whole.");
        }

        if (IsTooLong(request.Path) || IsTooLong(request.Target))
        {
            return new GuestError("invalid_path", $"The path is longer than {MaxPath} bytes");
        }

        if (HasNul(request.Path) || HasNul(request.Target))
        {
            return new GuestError("invalid_path", "The path contains NUL");
        }

        // What follows a NUL would be lost on the way to the program, and a name with "=" would be another's value.
        if (request.Command.Any(HasNul) || request.Environment.Any(entry => HasNul(entry.Key) || HasNul(entry.Value)))
        {
            return new GuestError("other", "Arguments and environment must not contain NUL.");
        }

        return request.Environment.Keys.Any(name => name.Length == 0 || name.Contains('=', StringComparison.Ordinal))
            ? new GuestError("other", "A variable's name must not be empty, and not contain \"=\".")
            : null;
    }

    private static bool IsTooLong(string? path) => path is not null && Encoding.UTF8.GetByteCount(path) > MaxPath;

    private static bool HasNul(string? text) => text is not null && text.Contains('\0', StringComparison.Ordinal);
}
