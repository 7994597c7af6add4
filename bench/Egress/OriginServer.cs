using System.Net;
using System.Net.Sockets;

namespace Corral.Bench.Egress;

/// <summary>What all traffic goes to: nginx with TLS, HTTP/1.1 and HTTP/2, and iperf3 for bytes.</summary>
internal sealed class OriginServer(RunningProcess web, RunningProcess bytes) : IAsyncDisposable
{
    public const int BytesPort = 5201;

    /// <summary>What it answers begins with the authorization that it was sent.</summary>
    public const string Expected = "[Bearer bench-secret]";

    public static async Task<OriginServer> StartAsync(string folder, BenchPki pki)
    {
        var path = Path.Combine(folder, "origin.conf");
        await File.WriteAllTextAsync(path, $$"""
            worker_processes 2;
            daemon off;
            pid {{folder}}/origin.pid;
            error_log stderr crit;
            events { worker_connections 8192; }
            http {
              access_log off;
              keepalive_requests 1000000000;
              keepalive_timeout 600;
              server {
                listen {{BenchNetwork.Origin}}:443 ssl http2;
                listen {{BenchNetwork.Peers}}:443 ssl http2;
                ssl_certificate {{pki.Certificate}};
                ssl_certificate_key {{pki.Key}};
                location / { return 200 "[$http_authorization]{{new string('.', 100)}}\n"; }
              }
            }

            """);
        var web = RunningProcess.Start(folder, "nginx", null, "-c", path);
        var bytes = RunningProcess.Start(folder, "iperf3", null, "-s", "-p", $"{BytesPort}");
        await web.AnswersAsync(() => ConnectAsync(BenchNetwork.Origin, 443));
        await bytes.AnswersAsync(() => ConnectAsync(BenchNetwork.Origin, BytesPort));
        return new OriginServer(web, bytes);
    }

    public static async Task ConnectAsync(string host, int port)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Parse(host), port);
    }

    public async ValueTask DisposeAsync()
    {
        await web.DisposeAsync();
        await bytes.DisposeAsync();
    }
}
