namespace Corral.Cli;

/// <summary>What is said to whoever looks on.</summary>
internal static class Words
{
    /// <summary>Says it, or not: a full disk that holds the log, or a terminal that is gone, must not end who speaks.</summary>
    public static void Say(string text)
    {
        try
        {
            Console.Error.WriteLine(text);
        }
        catch (IOException)
        {
            // There is nobody to be told.
        }
    }
}
