using Corral.Api.V1;
using Corral.Hosting;
using Grpc.Core;

namespace Corral.NodeAgent.Files;

/// <summary>Replaces texts in a text: all of them, or none.</summary>
internal static class TextEdits
{
    /// <summary>The longest file that is edited, before and after, in bytes.</summary>
    public const int MaxLength = 10 << 20;

    private const int MaxEdits = 100;

    public static void Check(IReadOnlyList<TextEdit> edits)
    {
        if (edits.Count is 0 or > MaxEdits) throw RpcErrors.InvalidArgument("edits", $"must have 1 to {MaxEdits} entries");
        for (var i = 0; i < edits.Count; i++)
        {
            if (edits[i].Find.Length == 0) throw RpcErrors.InvalidArgument($"edits[{i}].find", "is required");
        }
    }

    /// <summary>The text with each edit applied to what the one before it left, and how many texts were replaced.</summary>
    public static (string Text, int Replacements) Apply(string text, IReadOnlyList<TextEdit> edits)
    {
        var replacements = 0;
        for (var i = 0; i < edits.Count; i++)
        {
            var (find, replace) = (edits[i].Find, edits[i].Replace);
            var count = Count(text, find);
            if (count == 0) throw RpcErrors.InvalidArgument($"edits[{i}].find", "stands nowhere in the file");
            // Before it is made: a short text that stands everywhere may become a long one.
            if (text.Length + ((long)count * (replace.Length - find.Length)) > MaxLength) throw TooLong();
            text = text.Replace(find, replace, StringComparison.Ordinal);
            replacements += count;
        }

        return (text, replacements);
    }

    public static RpcException TooLong() => RpcErrors.FailedPrecondition("FILE_TOO_LARGE", $"Files of at most {MaxLength} bytes can be edited, before and after.");

    private static int Count(string text, string find)
    {
        var count = 0;
        for (var at = text.IndexOf(find, StringComparison.Ordinal); at >= 0; at = text.IndexOf(find, at + find.Length, StringComparison.Ordinal)) count++;
        return count;
    }
}
