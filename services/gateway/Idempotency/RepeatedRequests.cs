using Corral.Api.V1;
using Corral.Gateway.Errors;
using Corral.Gateway.Routing;
using Corral.Gateway.Security;
using Corral.Hosting;
using Corral.Leap.V1;
using Google.Protobuf.Reflection;
using Microsoft.Extensions.Options;
using Route = Corral.Gateway.Routing.Route;

namespace Corral.Gateway.Idempotency;

/// <summary>Answers a POST that carries an <c>Idempotency-Key</c>: once, however often it is made.</summary>
/// <remarks>
/// 1 begin under the key, or answer what is known; 2 run it to its end, whether or not its client stays; 3 keep the answer; 4 let the
/// client have it. A create is carried out exactly once, because sessions knows it again, too. Anything else is carried out at most once:
/// where a gateway dies between its effect and step 3, or a call is lost, nobody knows, and that is what is answered from then on.
/// </remarks>
internal sealed class RepeatedRequests(RequestLog log, IOptions<IdempotencyOptions> options, IHostApplicationLifetime lifetime)
{
    private const string ReplayHeader = "Idempotent-Replayed";

    // Sessions knows these again by the identity that they carry.
    private static readonly HashSet<MethodDescriptor> KnownAgain =
    [
        SandboxService.Descriptor.FindMethodByName("Create"), SandboxService.Descriptor.FindMethodByName("Launch"),
        LeapSandboxService.Descriptor.FindMethodByName("CreateSandbox"),
    ];

    // It does nothing to the command that it follows. Under a key it would follow on for a client that is gone, in the place of another.
    private static readonly MethodDescriptor Follows = ExecService.Descriptor.FindMethodByName("Attach");

    /// <summary>Whether a request is to be answered once.</summary>
    public static bool Concerns(HttpRequest request, Route route) =>
        HttpMethods.IsPost(request.Method) && request.Headers.ContainsKey(RequestKey.Header) && route.Descriptor != Follows;

    public async Task AnswerAsync(HttpContext context, Route route, Caller caller, Func<Caller, Task> answer)
    {
        if (!RequestKey.IsValid(context.Request.Headers[RequestKey.Header]))
        {
            await ErrorBody.WriteAsync(context, new ApiError(StatusCodes.Status400BadRequest, "Invalid Idempotency-Key: must be 1 to 255 visible ASCII characters"));
            return;
        }

        // 1
        var key = new RequestKey(Authenticator.KeyOf(context.Request.Headers), caller.Identity.KeyId, context.Request.Headers[RequestKey.Header].ToString());
        var body = await RequestReader.ReadBodyAsync(context);
        context.Request.Body = new MemoryStream(body.ToArray());
        var run = new Run(caller.Identity.OrganizationId, key.Id, Ids.New("run-"));
        var mayRunAgain = KnownAgain.Contains(route.Descriptor);
        var (known, kept) = await log.BeginAsync(run.Organization, run.Id, key.Fingerprint(context.Request, body), run.Owner, mayRunAgain);
        GatewayTelemetry.KeyedRequests.Add(1, new KeyValuePair<string, object?>("known", known.ToString()));
        if (kept is not null)
        {
            await ReplayAsync(context, kept, key);
        }
        else if (known != Known.Begun)
        {
            await ErrorBody.WriteAsync(context, Refusal(known));
        }
        else
        {
            await RunAsync(context, run, key, mayRunAgain, () => answer(caller with { Identity = caller.Identity with { IdempotencyId = key.Id } }));
        }
    }

    private async Task RunAsync(HttpContext context, Run run, RequestKey key, bool mayRunAgain, Func<Task> answer)
    {
        var client = context.Response.Body;
        using var recorder = new AnswerRecorder(context.Response, client, options.Value.MaxAnswerBytes);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(lifetime.ApplicationStopped);
        var renewing = log.RenewAsync(run.Organization, run.Id, run.Owner, ended.Token);
        try
        {
            // 2
            context.RequestAborted = CancellationToken.None;
            context.Response.Body = recorder;
            await answer();

            // 3
            await FinishAsync(context.Response, run, key, mayRunAgain, recorder.Answer);
        }
        finally
        {
            await ended.CancelAsync();
            await renewing;
            context.Response.Body = client;
        }

        // 4
        await recorder.ReleaseAsync();
    }

    private async Task FinishAsync(HttpResponse response, Run run, RequestKey key, bool mayRunAgain, byte[]? answer)
    {
        var unknown = response.StatusCode is >= StatusCodes.Status500InternalServerError and not StatusCodes.Status507InsufficientStorage;
        if (unknown && !mayRunAgain)
        {
            await log.UnknownAsync(run.Organization, run.Id, run.Owner);
        }
        else if (response.StatusCode >= StatusCodes.Status400BadRequest)
        {
            await log.FreeAsync(run.Organization, run.Id, run.Owner);
        }
        else
        {
            var kept = answer is null ? null : new KeptAnswer(response.StatusCode, response.ContentType ?? "", key.Seal(answer));
            await log.AnsweredAsync(run.Organization, run.Id, run.Owner, kept);
        }
    }

    private static async Task ReplayAsync(HttpContext context, KeptAnswer kept, RequestKey key)
    {
        var answer = key.Open(kept.Sealed);
        context.Response.StatusCode = kept.Status;
        context.Response.Headers[ReplayHeader] = "true";
        if (kept.ContentType.Length > 0)
        {
            context.Response.ContentType = kept.ContentType;
        }

        if (answer.Length > 0)
        {
            context.Response.ContentLength = answer.Length;
            await context.Response.Body.WriteAsync(answer, context.RequestAborted);
        }
    }

    private static ApiError Refusal(Known known) => known switch
    {
        Known.Running => new ApiError(
            StatusCodes.Status409Conflict, "The request with this Idempotency-Key is still running. Try again shortly.", "IDEMPOTENCY_IN_PROGRESS", RetryAfter: TimeSpan.FromSeconds(1)),
        Known.AnotherRequest => new ApiError(
            StatusCodes.Status422UnprocessableEntity, "This Idempotency-Key was used with another request.", "IDEMPOTENCY_CONFLICT"),
        Known.OutcomeUnknown => new ApiError(
            StatusCodes.Status409Conflict, "It is not known whether the request with this Idempotency-Key had an effect. See for yourself, and use a new key.", "IDEMPOTENCY_OUTCOME_UNKNOWN"),
        _ => new ApiError(
            StatusCodes.Status409Conflict, "The request with this Idempotency-Key was carried out, but its answer was too long to be kept.", "IDEMPOTENCY_ANSWER_NOT_KEPT"),
    };

    private readonly record struct Run(string Organization, string Id, string Owner);
}
