using System.Diagnostics;
using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Corral.Bench.Egress;

/// <summary>Connections that have asked once and then wait. The bench runs itself in a namespace for that: <c>egress-idle ADDRESS COUNT</c>.</summary>
internal static class IdleConnections
{
    /// <summary>What a proxy's memory grows by for one of them.</summary>
    public static async Task<double> CostAsync(Way way, string address, int count)
    {
        if (way.Process is not { } process)
        {
            return double.NaN;
        }

        var before = process.Memory();
        using var holder = Process.Start(new ProcessStartInfo("ip", ["netns", "exec", way.Namespace, Environment.ProcessPath!, "egress-idle", address, count.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        var ready = await holder.StandardOutput.ReadLineAsync();
        await Task.Delay(TimeSpan.FromSeconds(1));
        var after = process.Memory();
        holder.StandardInput.Close();
        await holder.WaitForExitAsync();
        return ready == "ready" ? (after - before) / (double)count : throw new InvalidOperationException($"{way.Name} does not hold {count} connections.");
    }

    /// <summary>Holds them until its input ends.</summary>
    public static async Task HoldAsync(string address, int count)
    {
        var uri = new Uri(address);
        var held = new List<SslStream>();
        for (var i = 0; i < count; i++)
        {
            held.Add(await OpenAsync(uri));
        }

        Console.WriteLine("ready");
        await Console.In.ReadToEndAsync();
        GC.KeepAlive(held);
    }

    private static async Task<SslStream> OpenAsync(Uri uri)
    {
        var client = new TcpClient();
        await client.ConnectAsync(uri.Host, uri.Port);
        var stream = new SslStream(client.GetStream());
        await stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = uri.Host,
            // It is memory that is measured here.
            RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is not null,
        });
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\nHost: {uri.Authority}\r\n\r\n"));
        var answer = new byte[4096];
        var length = 0;
        while (!Encoding.ASCII.GetString(answer, 0, length).EndsWith(".\n", StringComparison.Ordinal))
        {
            length += await stream.ReadAsync(answer.AsMemory(length)) is var read and > 0 ? read : throw new IOException("It was closed.");
        }

        return stream;
    }
}
