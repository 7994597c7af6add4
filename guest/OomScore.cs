using System.Globalization;

namespace Corral.Guest;

/// <summary>Has children start as better victims than this process when memory runs short: PID 1's end would be the whole sandbox's.</summary>
internal static class OomScore
{
    private const int OfCommands = 900;
    private static readonly FileStream? File = Open();
    private static readonly int Own = ReadOwn();

    /// <summary>What is spawned inside is the kernel's first choice. Raising and going back needs no privilege.</summary>
    public static int Raised(Func<int> spawn)
    {
        if (Own >= OfCommands || !TryWrite(OfCommands))
        {
            return spawn();
        }

        try
        {
            return spawn();
        }
        finally
        {
            TryWrite(Own);
        }
    }

    private static FileStream? Open()
    {
        try
        {
            return new FileStream("/proc/self/oom_score_adj", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, 0);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static int ReadOwn()
    {
        Span<byte> text = stackalloc byte[16];
        var length = File is null ? 0 : RandomAccess.Read(File.SafeFileHandle, text, 0);
        return int.TryParse(text[..length].Trim((byte)'\n'), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var score) ? score : int.MaxValue;
    }

    private static bool TryWrite(int score)
    {
        try
        {
            Span<byte> text = stackalloc byte[16];
            score.TryFormat(text, out var length, default, CultureInfo.InvariantCulture);
            RandomAccess.Write(File!.SafeFileHandle, text[..length], 0);
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
