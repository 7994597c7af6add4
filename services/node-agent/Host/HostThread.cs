using System.Runtime.ExceptionServices;

namespace Corral.NodeAgent.Host;

/// <summary>
/// Runs work on an operating-system thread of its own, which then ends. Namespaces and cgroups are properties of a thread, and a thread that
/// is created inherits them from its creator. So the work must start no thread, not even by completing a task (the pool may answer that with
/// a new worker): a second thread, which never leaves the host, waits for the first and tells the result. The runtime's own threads that come
/// and go (tiered compilation, background collection) are turned off in the project file for the same reason.
/// </summary>
internal static class HostThread
{
    private const int StackSize = 256 * 1024;

    public static Task<T> RunAsync<T>(string name, Func<T> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            try
            {
                done.SetResult(Run(name, work));
            }
            catch (Exception problem)
            {
                done.SetException(problem);
            }
        }, StackSize)
        { IsBackground = true, Name = name + "-wait" }.Start();
        return done.Task;
    }

    public static Task RunAsync(string name, Action work) => RunAsync(name, () =>
    {
        work();
        return true;
    });

    private static T Run<T>(string name, Func<T> work)
    {
        T result = default!;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                result = work();
            }
            catch (Exception problem)
            {
                failure = ExceptionDispatchInfo.Capture(problem);
            }
        }, StackSize)
        { IsBackground = true, Name = name };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result;
    }
}
