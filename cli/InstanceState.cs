using System.Text.Json;
using System.Text.Json.Serialization;
using Corral.Hosting;

namespace Corral.Cli;

/// <summary>A process of the instance. The start time tells it from a later one with the same number.</summary>
/// <param name="Name">The service's name, such as <c>sessions</c>.</param>
/// <param name="Pid">Its number; 0 while it is between two lives.</param>
/// <param name="Started">When it was started, in the kernel's ticks since boot.</param>
internal sealed record RunningProcess(string Name, int Pid, ulong Started)
{
    /// <summary>Whether that very process is alive.</summary>
    [JsonIgnore]
    public bool IsAlive => Pid > 0 && Started > 0 && StartOf(Pid) == Started;

    /// <summary>The process with this number, as it is now.</summary>
    public static RunningProcess Of(string name, int pid) => new(name, pid, StartOf(pid));

    // Field 22 of /proc/PID/stat. The second, the program's name, may hold spaces and brackets. A zombie is not alive.
    private static ulong StartOf(int pid)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{pid}/stat");
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is "Z" or "X" ? 0 : ulong.Parse(fields[19], System.Globalization.CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }
}

/// <summary>Which processes an instance consists of, written down before anybody depends on it: whoever takes it down finds them all.</summary>
/// <param name="Endpoint">The JSON endpoint.</param>
/// <param name="GrpcEndpoint">The native endpoint.</param>
/// <param name="Supervisor">The process that keeps the others alive.</param>
/// <param name="Services">The others.</param>
internal sealed record InstanceState(string Endpoint, string GrpcEndpoint, RunningProcess Supervisor, IReadOnlyList<RunningProcess> Services)
{
    private static string FilePath => Path.Combine(CorralPaths.Run, "instance.json");

    /// <summary>The instance that was last brought up in this home and not taken down, alive or not.</summary>
    public static InstanceState? Read() =>
        File.Exists(FilePath) ? JsonSerializer.Deserialize(File.ReadAllBytes(FilePath), StateJson.Default.InstanceState) : null;

    public static void Delete() => File.Delete(FilePath);

    public void Write()
    {
        var fresh = FilePath + ".new";
        File.WriteAllBytes(fresh, JsonSerializer.SerializeToUtf8Bytes(this, StateJson.Default.InstanceState));
        File.Move(fresh, FilePath, overwrite: true);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(InstanceState))]
internal sealed partial class StateJson : JsonSerializerContext;
