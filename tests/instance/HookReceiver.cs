using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Corral.Tests.Instance;

/// <summary>What a webhook was sent.</summary>
/// <param name="Id">The event's id.</param>
/// <param name="Timestamp">In seconds.</param>
/// <param name="Signature">As the header has it.</param>
/// <param name="Body">The payload.</param>
public sealed record HookCall(string Id, string Timestamp, string Signature, string Body)
{
    /// <summary>The type of the event.</summary>
    public string Type => (string)JsonNode.Parse(Body)!["type"]!;

    /// <summary>The sandbox that it happened to.</summary>
    public string? SandboxId => (string?)JsonNode.Parse(Body)!["sandboxId"];

    /// <summary>Whether it is signed under a secret, as the Standard Webhooks specification says.</summary>
    public bool IsSigned(string secret) => Signature == "v1," + Convert.ToBase64String(
        HMACSHA256.HashData(Convert.FromBase64String(secret["whsec_".Length..]), Encoding.UTF8.GetBytes($"{Id}.{Timestamp}.{Body}")));
}

/// <summary>A receiver of webhooks on this host, which takes everything.</summary>
public sealed class HookReceiver : IDisposable
{
    /// <summary>What an instance must allow so that it is sent to.</summary>
    public static readonly IReadOnlyDictionary<string, string> Settings = new Dictionary<string, string>
    {
        ["CORRAL_CONFIG_Webhooks__AllowHttp"] = "true",
        ["CORRAL_CONFIG_Webhooks__PermittedRanges__0"] = "127.0.0.0/8",
    };

    private readonly HttpListener _listener = new();
    private readonly ConcurrentQueue<HookCall> _calls = [];

    /// <summary>Listens on a port of its own.</summary>
    public HookReceiver()
    {
        Url = $"http://127.0.0.1:{Instance.FreePort()}/";
        _listener.Prefixes.Add(Url);
        _listener.Start();
        _ = TakeAsync();
    }

    /// <summary>Where it listens.</summary>
    public string Url { get; }

    /// <summary>What it was sent, in order.</summary>
    public IReadOnlyList<HookCall> Calls => [.. _calls];

    /// <summary>What it was sent of one sandbox, each event once.</summary>
    public IReadOnlyList<HookCall> Of(string sandboxId) => [.. _calls.Where(call => call.SandboxId == sandboxId).DistinctBy(call => call.Id)];

    /// <summary>Listens no more.</summary>
    public void Dispose() => ((IDisposable)_listener).Dispose();

    private async Task TakeAsync()
    {
        try
        {
            while (true)
            {
                var context = await _listener.GetContextAsync();
                using var reader = new StreamReader(context.Request.InputStream);
                var headers = context.Request.Headers;
                _calls.Enqueue(new HookCall(headers["webhook-id"]!, headers["webhook-timestamp"]!, headers["webhook-signature"]!, await reader.ReadToEndAsync()));
                context.Response.Close();
            }
        }
        catch (Exception problem) when (problem is HttpListenerException or ObjectDisposedException)
        {
            // The test is over.
        }
    }
}
