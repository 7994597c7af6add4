namespace Corral.Bench.Egress;

/// <summary>Other proxies doing the same work: TLS of their own, a header set, TLS to the origin, whose certificate is verified.</summary>
internal static class Peers
{
    private const string Secret = "Bearer bench-secret";

    public static async Task<Way> HaproxyAsync(BenchNetwork network, string folder, BenchPki pki)
    {
        const string Name = "haproxy";
        var path = Path.Combine(folder, "haproxy.cfg");
        await File.WriteAllTextAsync(path, $$"""
            global
              nbthread 2
              maxconn 4000
            defaults
              timeout connect 10s
              timeout client 600s
              timeout server 600s
            frontend web
              mode http
              bind {{BenchNetwork.Peers}}:8441 ssl crt {{pki.Both}} alpn h2,http/1.1
              http-request set-header Authorization "{{Secret}}"
              default_backend origin
            backend origin
              mode http
              http-reuse always
              server origin {{BenchNetwork.Origin}}:443 ssl verify required ca-file {{pki.Authority}} sni str(api.bench.test)
            frontend opaque
              mode tcp
              bind {{BenchNetwork.Peers}}:8442
              tcp-request inspect-delay 5s
              tcp-request content reject unless { req.ssl_sni -m end .bench.test }
              default_backend tls
            backend tls
              mode tcp
              option splice-auto
              server origin {{BenchNetwork.Origin}}:443
            frontend bytes
              mode tcp
              bind {{BenchNetwork.Peers}}:8443
              default_backend bytes
            backend bytes
              mode tcp
              option splice-auto
              server origin {{BenchNetwork.Origin}}:{{OriginServer.BytesPort}}

            """);
        var process = RunningProcess.Start(folder, Name, null, "-f", path, "-db");
        await process.AnswersAsync(() => OriginServer.ConnectAsync(BenchNetwork.Peers, 8441));
        return new Way(Name, network.Client, "https://api.bench.test:8441/", "https://opaque.bench.test:8442/", 8443, process);
    }

    public static async Task<Way> NginxAsync(BenchNetwork network, string folder, BenchPki pki)
    {
        const string Name = "nginx";
        var path = Path.Combine(folder, "proxy.conf");
        await File.WriteAllTextAsync(path, $$"""
            load_module /usr/lib/nginx/modules/ngx_stream_module.so;
            worker_processes 2;
            daemon off;
            pid {{folder}}/proxy.pid;
            error_log stderr crit;
            events { worker_connections 8192; }
            http {
              access_log off;
              keepalive_requests 1000000000;
              keepalive_timeout 600;
              upstream origin { server {{BenchNetwork.Origin}}:443; keepalive 256; keepalive_requests 1000000000; }
              server {
                listen {{BenchNetwork.Peers}}:8451 ssl http2;
                ssl_certificate {{pki.Certificate}};
                ssl_certificate_key {{pki.Key}};
                location / {
                  proxy_pass https://origin;
                  proxy_http_version 1.1;
                  proxy_set_header Connection "";
                  proxy_set_header Host api.bench.test;
                  proxy_set_header Authorization "{{Secret}}";
                  proxy_ssl_verify on;
                  proxy_ssl_trusted_certificate {{pki.Authority}};
                  proxy_ssl_name api.bench.test;
                  proxy_ssl_server_name on;
                }
              }
            }
            stream {
              map $ssl_preread_server_name $origin {
                ~\.bench\.test$ {{BenchNetwork.Origin}}:443;
                default {{BenchNetwork.Origin}}:{{OriginServer.BytesPort}};
              }
              server { listen {{BenchNetwork.Peers}}:8452; ssl_preread on; proxy_pass $origin; }
            }

            """);
        var process = RunningProcess.Start(folder, Name, null, "-c", path);
        await process.AnswersAsync(() => OriginServer.ConnectAsync(BenchNetwork.Peers, 8451));
        return new Way(Name, network.Client, "https://api.bench.test:8451/", "https://opaque.bench.test:8452/", 8452, process);
    }

    public static async Task<Way> MitmproxyAsync(BenchNetwork network, string folder, BenchPki pki)
    {
        const string Name = "mitmproxy";
        var process = RunningProcess.Start(
            folder, "mitmdump", new Dictionary<string, string> { ["HOME"] = folder }, "-q",
            "--listen-host", BenchNetwork.Peers, "--listen-port", "8461", "--mode", $"reverse:https://{BenchNetwork.Origin}:443", "--certs", pki.Both,
            "--set", $"ssl_verify_upstream_trusted_ca={pki.Authority}", "--set", $"confdir={folder}/mitmproxy", "--modify-headers", $"/~q/Authorization/{Secret}");
        await process.AnswersAsync(() => OriginServer.ConnectAsync(BenchNetwork.Peers, 8461));
        return new Way(Name, network.Client, "https://api.bench.test:8461/", null, null, process);
    }
}
