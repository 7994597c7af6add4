namespace Corral.NodeAgent.Host;

/// <summary>
/// Runs work on an operating-system thread of its own, which then ends. Namespaces and cgroups are properties of a thread: work that
/// enters some must never return its thread to the pool.
/// </summary>
internal static class HostThread
{
    public static Task<T> RunAsync<T>(string name, Func<T> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() =>
        {
            try
            {
                done.SetResult(work());
            }
            catch (Exception problem)
            {
                done.SetException(problem);
            }
        }, 256 * 1024)
        { IsBackground = true, Name = name };
        thread.Start();
        return done.Task;
    }

    public static Task RunAsync(string name, Action work) => RunAsync(name, () =>
    {
        work();
        return true;
    });
}
