using Corral.Api.V1;
using Corral.Gateway.Errors;
using Corral.Gateway.Idempotency;
using Corral.Gateway.Kept;
using Corral.Gateway.Leap;
using Corral.Gateway.RateLimits;
using Corral.Gateway.Security;
using Corral.Gateway.Transcoding;
using Corral.Hosting;
using Corral.Leap.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Corral.Gateway.Routing;

/// <summary>Answers a JSON request.</summary>
/// <remarks>1 route, 2 caller, 3 rate, 4 scope, 5 request message, 6 call, 7 answer. An error at any step is written in the dialect's shape. A kept answer stands for steps 5 to 7.</remarks>
internal sealed partial class ApiEndpoint(
    RouteTable routes, Authenticator authenticator, RateLimiter rates, RepeatedRequests repeated, KeyWatch keys, Upstreams upstreams, LeapCalls leap, EventStream events,
    KeptAnswers kept, MemoryShares memory, ILogger<ApiEndpoint> log)
{
    // What one answer holds of files at most.
    private const int LongestFiles = 32 * 1024 * 1024;

    public async Task HandleAsync(HttpContext context)
    {
        // 1
        var candidates = routes.At(context.Request.Path);
        if (candidates.Count == 0)
        {
            await ErrorBody.WriteAsync(context, new ApiError(StatusCodes.Status404NotFound, "Not found"));
        }
        else if (RouteTable.Choose(candidates, context.Request) is { } route)
        {
            await GuardAsync(context, route, AdmitAsync(context, route));
        }
        else
        {
            context.Response.Headers.Allow = string.Join(", ", candidates.Select(r => r.Verb).Distinct().Order());
            await ErrorBody.WriteAsync(context, new ApiError(StatusCodes.Status405MethodNotAllowed, "Method not allowed"));
        }
    }

    private async Task AdmitAsync(HttpContext context, Route route)
    {
        // 2
        if (await authenticator.AuthenticateAsync(context.Request.Headers, context.TraceIdentifier) is not { } caller)
        {
            await ErrorBody.WriteAsync(context, new ApiError(StatusCodes.Status401Unauthorized, "Invalid or missing API key"));
            return;
        }

        // 3
        await rates.TakeAsync(context, caller, route.Descriptor);
        memory.Charge(context, caller);

        // 4
        if (!caller.May(route.Call.Scope))
        {
            var facts = new Dictionary<string, string> { ["requiredScope"] = route.Call.Scope };
            await ErrorBody.WriteAsync(context, new ApiError(StatusCodes.Status403Forbidden, "Insufficient permissions", "PERMISSION_DENIED", facts));
        }
        else if (RepeatedRequests.Concerns(context.Request, route))
        {
            await repeated.AnswerAsync(context, route, caller, known => GuardAsync(context, route, AnswerAsync(context, route, known)));
        }
        else if (route.Call.Kept)
        {
            await AnswerKeptAsync(context, route, caller);
        }
        else
        {
            await AnswerAsync(context, route, caller);
        }
    }

    private async Task AnswerKeptAsync(HttpContext context, Route route, Caller caller)
    {
        // Before anybody is asked: what changes from here on, this shelf no longer tells of.
        var shelf = kept.ShelfOf(caller.Identity.OrganizationId);
        var asked = Asked.By(context.Request, route);
        var answer = shelf?.Find(asked);
        GatewayTelemetry.Kept(answer is not null);
        if (answer is null)
        {
            var message = await AskAsync(context, route, caller);
            answer = AnswerWriter.ToJson(context, route, message);
            if (!IsFleeting(message))
            {
                shelf?.Put(asked, answer);
            }
        }

        await AnswerWriter.WriteJsonAsync(context, answer);
    }

    // A place in a line, and an estimate, depend on the clock and on what others do.
    private static bool IsFleeting(IMessage message) => message switch
    {
        GetResponse one => one.Sandbox?.Queue is not null,
        ListSandboxesResponse list => list.Items.Any(item => item.Sandbox?.Queue is not null),
        _ => false,
    };

    private async Task AnswerAsync(HttpContext context, Route route, Caller caller)
    {
        // 5, 6, 7
        if (route.IsStream)
        {
            var request = await RequestReader.ReadAsync(context, route);
            var answering = upstreams.StreamAsync(route, caller, request, CarryAsync, context.RequestAborted);
            await keys.WhileGoodAsync(context, route.Call.Scope, answering);

            Task CarryAsync(AsyncServerStreamingCall<byte[]> call) =>
                route.IsDownload ? ByteStream.WriteAsync(context, request, route, call) : events.WriteAsync(context, route, call);
        }
        else
        {
            var answer = await (route.ChangesRecords ? ChangeAsync(context, route, caller) : AskAsync(context, route, caller));
            await AnswerWriter.WriteAsync(context, route, answer);
        }
    }

    // Nothing from before the call is told while it runs, and nothing from while it ran once it is answered: clients read their own writes.
    private async Task<IMessage> ChangeAsync(HttpContext context, Route route, Caller caller)
    {
        kept.Forget(caller.Identity.OrganizationId);
        try
        {
            return await AskAsync(context, route, caller);
        }
        finally
        {
            kept.Forget(caller.Identity.OrganizationId);
        }
    }

    private async Task<IMessage> AskAsync(HttpContext context, Route route, Caller caller)
    {
        // 5
        var request = await RequestReader.ReadAsync(context, route);
        if (route.ReadsFiles)
        {
            await MemoryShares.TakeForAnswerAsync(context, LongestFiles);
        }

        // 6
        if (route.IsOurs)
        {
            return await leap.AnswerAsync(route, caller, request, context.RequestAborted);
        }

        var answer = route.IsUpload
            ? await upstreams.UploadAsync(route, caller, request, context.Request.BodyReader, context.RequestAborted)
            : await upstreams.UnaryAsync(route, caller, request, context.RequestAborted);
        return route.Descriptor.OutputType.Parser.ParseFrom(answer);
    }

    private async Task GuardAsync(HttpContext context, Route route, Task steps)
    {
        try
        {
            await steps;
        }
        catch (RequestException exception)
        {
            await ErrorBody.WriteAsync(context, new ApiError(exception.Status, exception.Message, Fields: exception.Fields));
        }
        catch (BadHttpRequestException exception)
        {
            await ErrorBody.WriteAsync(context, new ApiError(exception.StatusCode, "The request could not be read"));
        }
        catch (RpcException exception)
        {
            await FailAsync(context, ErrorTable.From(exception, route.Descriptor.InputType), exception);
        }
        catch (DependencyUnavailableException exception)
        {
            await FailAsync(context, ErrorTable.From(exception), exception);
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody listens any more.
        }
        catch (Exception exception) when (!context.Response.HasStarted)
        {
            LogFault(exception, route.Descriptor.FullName);
            await ErrorBody.WriteAsync(context, new ApiError(StatusCodes.Status500InternalServerError, "Internal server error"));
        }
    }

    private async Task FailAsync(HttpContext context, ApiError error, Exception exception)
    {
        if (error.Status == StatusCodes.Status500InternalServerError)
        {
            LogFault(exception, context.Request.Path);
        }

        if (!context.RequestAborted.IsCancellationRequested)
        {
            await ErrorBody.WriteAsync(context, error);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Answering {Call} failed.")]
    private partial void LogFault(Exception exception, string call);
}
