using Corral.Gateway.Errors;
using Corral.Gateway.Leap;
using Corral.Gateway.Security;
using Corral.Gateway.Transcoding;
using Grpc.Core;

namespace Corral.Gateway.Routing;

/// <summary>Answers a JSON request.</summary>
/// <remarks>1 route, 2 caller, 3 scope, 4 request message, 5 call, 6 answer. An error at any step is written in the dialect's shape.</remarks>
internal sealed partial class ApiEndpoint(RouteTable routes, Authenticator authenticator, Upstreams upstreams, LeapCalls leap, EventStream events, ILogger<ApiEndpoint> log)
{
    public async Task HandleAsync(HttpContext context)
    {
        Route? route = null;
        try
        {
            // 1
            var candidates = routes.At(context.Request.Path);
            if (candidates.Count == 0)
            {
                await ErrorBody.WriteAsync(context, new ApiError(StatusCodes.Status404NotFound, "Not found"));
                return;
            }

            route = RouteTable.Choose(candidates, context.Request);
            if (route is null)
            {
                context.Response.Headers.Allow = string.Join(", ", candidates.Select(r => r.Verb).Distinct().Order());
                await ErrorBody.WriteAsync(context, new ApiError(StatusCodes.Status405MethodNotAllowed, "Method not allowed"));
                return;
            }

            // 2
            if (await authenticator.AuthenticateAsync(context.Request.Headers, context.TraceIdentifier) is not { } caller)
            {
                await ErrorBody.WriteAsync(context, new ApiError(StatusCodes.Status401Unauthorized, "Invalid or missing API key"));
                return;
            }

            // 3
            if (!caller.May(route.Call.Scope))
            {
                var facts = new Dictionary<string, string> { ["requiredScope"] = route.Call.Scope };
                await ErrorBody.WriteAsync(context, new ApiError(StatusCodes.Status403Forbidden, "Insufficient permissions", "PERMISSION_DENIED", facts));
                return;
            }

            // 4
            var request = await RequestReader.ReadAsync(context, route);

            // 5, 6
            if (route.IsOurs)
            {
                await AnswerWriter.WriteAsync(context, route, await leap.AnswerAsync(route, caller, request, context.RequestAborted));
            }
            else if (route.IsStream)
            {
                using var call = await upstreams.StreamAsync(route, caller, request, context.RequestAborted);
                await (route.IsDownload ? ByteStream.WriteAsync(context, request, route, call) : events.WriteAsync(context, route, call));
            }
            else
            {
                var answer = route.IsUpload
                    ? await upstreams.UploadAsync(route, caller, request, context.Request.BodyReader, context.RequestAborted)
                    : await upstreams.UnaryAsync(route, caller, request, context.RequestAborted);
                await AnswerWriter.WriteAsync(context, route, route.Descriptor.OutputType.Parser.ParseFrom(answer));
            }
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
            await FailAsync(context, ErrorTable.From(exception, route?.Descriptor.InputType), exception);
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody listens any more.
        }
        catch (Exception exception) when (!context.Response.HasStarted)
        {
            LogFault(exception, route?.Descriptor.FullName ?? "");
            await ErrorBody.WriteAsync(context, new ApiError(StatusCodes.Status500InternalServerError, "Internal server error"));
        }
    }

    private async Task FailAsync(HttpContext context, ApiError error, RpcException exception)
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
