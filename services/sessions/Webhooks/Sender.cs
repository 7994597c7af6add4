using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Corral.Sessions.Records;
using Microsoft.Extensions.Options;

namespace Corral.Sessions.Webhooks;

/// <summary>Sends a delivery once, and takes nothing of its receiver but a status and the first bytes of an answer.</summary>
/// <remarks>
/// The host is looked up for each attempt, and the connection, which no other attempt uses, is made to the addresses that were found and allowed.
/// No redirect is followed, no cookie kept, no proxy asked.
/// </remarks>
/// <param name="targets">Where it may go.</param>
/// <param name="secrets">Opens signing secrets.</param>
/// <param name="options">The settings.</param>
/// <param name="clock">The time that attempts are written down in.</param>
/// <param name="receivers">The time of day, which receivers compare the time of a delivery with.</param>
internal sealed class Sender(Targets targets, Secrets secrets, IOptions<WebhookOptions> options, TimeProvider clock, TimeProvider receivers) : IDisposable
{
    private const int MaxAnswer = 1024;
    private const int MaxHeaderKilobytes = 16;
    private static readonly TimeSpan ConnectPatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan BodyPatience = TimeSpan.FromSeconds(2);
    private static readonly HttpRequestOptionsKey<IReadOnlyList<IPAddress>> Addresses = new("addresses");

    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        ActivityHeadersPropagator = null,
        ConnectTimeout = ConnectPatience,
        MaxResponseHeadersLength = MaxHeaderKilobytes,
        MaxResponseDrainSize = 0,
        PooledConnectionLifetime = TimeSpan.Zero,
        ConnectCallback = ConnectAsync,
        SslOptions = new SslClientAuthenticationOptions
        {
            // A certificate names where its issuer's lies: fetching that would be a request to wherever a receiver likes, from this host.
            CertificateChainPolicy = new X509ChainPolicy { RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true },
        },
    });

    /// <summary>What sealed secrets of a webhook are bound to.</summary>
    public static string Context(string organization, string webhookId) => $"webhook:{organization}:{webhookId}";

    /// <summary>Tries; never throws but when cancelled.</summary>
    public async Task<Attempt> SendAsync(WebhookRecord webhook, string eventId, byte[] body, CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        var now = clock.GetUtcNow();
        using var patience = new CancellationTokenSource(options.Value.AnswerPatience, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        var (status, answer, error) = await TryAsync(webhook, eventId, body, now, either.Token, cancellationToken);
        return new Attempt(now.ToUnixTimeMilliseconds(), (long)clock.GetElapsedTime(began).TotalMilliseconds, status, answer, error);
    }

    public void Dispose() => _http.Dispose();

    private async Task<(int? Status, string Answer, string? Error)> TryAsync(
        WebhookRecord webhook, string eventId, byte[] body, DateTimeOffset now, CancellationToken patience, CancellationToken cancellationToken)
    {
        try
        {
            var url = new Uri(webhook.Url);
            var target = await targets.FindAsync(url, patience);
            if (target.Error is not null)
            {
                return (null, "", target.Error);
            }

            if (url.Scheme == Uri.UriSchemeHttp && !options.Value.AllowHttp)
            {
                // The operator allowed it once.
                return (null, "", AttemptErrors.AddressRefused);
            }

            if (Open(webhook, now) is not { } keys)
            {
                return (null, "", AttemptErrors.SecretUnreadable);
            }

            using var request = Request(url, keys, eventId, body, receivers.GetUtcNow().ToUnixTimeSeconds());
            request.Options.Set(Addresses, target.Addresses);
            using var response = await _http.SendAsync(request, patience);
            return ((int)response.StatusCode, await ReadAsync(response, patience), ErrorOf(response.StatusCode));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (null, "", AttemptErrors.Timeout);
        }
        catch (HttpRequestException problem)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return (null, "", ErrorOf(problem));
        }
    }

    private static HttpRequestMessage Request(Uri url, IEnumerable<string> keys, string eventId, byte[] body, long timestamp)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, url)
        {
            Version = HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } },
        };
        request.Headers.TryAddWithoutValidation("User-Agent", "Corral-Webhooks/1");
        request.Headers.TryAddWithoutValidation("webhook-id", eventId);
        request.Headers.TryAddWithoutValidation("webhook-timestamp", timestamp.ToString(CultureInfo.InvariantCulture));
        request.Headers.TryAddWithoutValidation("webhook-signature", SigningSecret.Sign(keys, eventId, timestamp, body));
        return request;
    }

    // Null when they were sealed under another key.
    private List<string>? Open(WebhookRecord webhook, DateTimeOffset now)
    {
        byte[]?[] boxes = [webhook.SealedSecret, webhook.OldSecretUntil > now ? webhook.SealedOldSecret : null];
        var opened = boxes.OfType<byte[]>().Select(box => secrets.OpenBytes(Context(webhook.Organization, webhook.Id), box)).ToList();
        return opened.Contains(null) ? null : [.. opened.Select(bytes => Encoding.UTF8.GetString(bytes!))];
    }

    // Its status is known by now: a body that comes slowly, or never ends, changes nothing.
    private async Task<string> ReadAsync(HttpResponseMessage response, CancellationToken patience)
    {
        using var share = new CancellationTokenSource(BodyPatience, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(share.Token, patience);
        var buffer = new byte[MaxAnswer];
        var length = 0;
        try
        {
            using var body = await response.Content.ReadAsStreamAsync(either.Token);
            while (length < buffer.Length && await body.ReadAsync(buffer.AsMemory(length), either.Token) is > 0 and var read)
            {
                length += read;
            }
        }
        catch (Exception problem) when (problem is IOException or HttpRequestException or OperationCanceledException)
        {
            // What came is told.
        }

        return Encoding.UTF8.GetString(buffer, 0, length);
    }

    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        context.InitialRequestMessage.Options.TryGetValue(Addresses, out var addresses);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync([.. addresses!], context.DnsEndPoint.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static string? ErrorOf(HttpStatusCode status) => (int)status switch
    {
        >= 200 and < 300 => null,
        >= 300 and < 400 => AttemptErrors.Redirect,
        _ => AttemptErrors.Status,
    };

    private static string ErrorOf(HttpRequestException problem) => problem.HttpRequestError switch
    {
        HttpRequestError.ConnectionError => AttemptErrors.ConnectFailed,
        HttpRequestError.SecureConnectionError => AttemptErrors.TlsFailed,
        _ => AttemptErrors.BadAnswer,
    };
}
