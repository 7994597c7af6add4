using Corral.Hosting;

namespace Corral.Cli;

/// <summary>Whoever brings a home's instance up or takes it apart has this for as long as it lasts: two at once would start everything twice.</summary>
internal sealed class InstanceLock : IDisposable
{
    private const int WouldBlock = 11;
    private readonly FileStream _file;

    private InstanceLock(FileStream file) => _file = file;

    /// <summary>Null when another process has it, and says so.</summary>
    public static InstanceLock? TryTake()
    {
        Home.Prepare();
        try
        {
            return new InstanceLock(new FileStream(Path.Combine(CorralPaths.Run, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException problem) when (problem.HResult == WouldBlock)
        {
            Words.Say(InstanceState.Read() is { Supervisor.IsAlive: true } there
                ? IsUp(there)
                : $"Another ./corral brings the instance in {CorralPaths.Home} up, or takes it down.");
            return null;
        }
    }

    /// <summary>What is said where there is an instance already.</summary>
    public static string IsUp(InstanceState there) => $"An instance is up in {CorralPaths.Home}, at {there.Endpoint}. ./corral down takes it down.";

    public void Dispose() => _file.Dispose();
}
