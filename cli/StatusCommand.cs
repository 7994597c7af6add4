using System.Text.Json;

namespace Corral.Cli;

/// <summary>Says what an instance consists of, and how it is. As a table, for people, it ends with 0 only when all of it is ready.</summary>
internal static class StatusCommand
{
    public static async Task<int> RunAsync(bool json)
    {
        var instance = InstanceState.Read();
        var services = instance?.Services ?? [];
        using var probes = new Probes();
        var states = await Task.WhenAll(services.Select(async service =>
            !service.IsAlive ? "stopped" : await probes.IsReadyAsync(service.Name) ? "ready" : "starting"));
        if (json) PrintJson(instance, states);
        else PrintTable(instance, states);
        return json || (services.Count > 0 && states.All(state => state == "ready")) ? 0 : 1;
    }

    private static void PrintJson(InstanceState? instance, string[] states)
    {
        using var output = Console.OpenStandardOutput();
        using var writer = new Utf8JsonWriter(output);
        writer.WriteStartObject();
        writer.WriteString("endpoint", instance?.Endpoint);
        writer.WriteString("grpcEndpoint", instance?.GrpcEndpoint);
        writer.WriteStartArray("services");
        foreach (var (service, state) in (instance?.Services ?? []).Zip(states))
        {
            writer.WriteStartObject();
            writer.WriteString("name", service.Name);
            writer.WriteString("state", state);
            if (service.IsAlive) writer.WriteNumber("pid", service.Pid);
            else writer.WriteNull("pid");
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
        writer.Flush();
        output.WriteByte((byte)'\n');
    }

    private static void PrintTable(InstanceState? instance, string[] states)
    {
        if (instance is null)
        {
            Console.WriteLine($"No instance is up in {Hosting.CorralPaths.Home}.");
            return;
        }

        Console.WriteLine(instance.Endpoint);
        foreach (var (service, state) in instance.Services.Zip(states)) Console.WriteLine($"  {service.Name,-14} {state,-10} {service.Pid}");
    }
}
