using System.Buffers;
using System.Text;
using System.Text.Json;
using Corral.Dialect.V1;
using Corral.Gateway.Errors;
using Corral.Gateway.Security;
using Corral.Gateway.Transcoding;
using Google.Protobuf;
using Grpc.Core;

namespace Corral.Gateway.Routing;

/// <summary>Answers a JSON request.</summary>
/// <remarks>1 route, 2 caller, 3 scope, 4 request message, 5 call, 6 answer. An error at any step is written in the dialect's shape.</remarks>
internal sealed partial class ApiEndpoint(RouteTable routes, Authenticator authenticator, Upstreams upstreams, EventStream events, ILogger<ApiEndpoint> log)
{
    private const int MaxBody = 10 * 1024 * 1024;

    private static readonly JsonWriterOptions Writing = new() { SkipValidation = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

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
            var request = await ReadAsync(context, route);

            // 5, 6
            if (route.IsStream)
            {
                using var call = await upstreams.StreamAsync(route, caller, request, context.RequestAborted);
                await events.WriteAsync(context, route, call);
            }
            else
            {
                await AnswerAsync(context, route, await upstreams.UnaryAsync(route, caller, request, context.RequestAborted));
            }
        }
        catch (RequestException exception)
        {
            await ErrorBody.WriteAsync(context, new ApiError(exception.Status, exception.Message));
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

    private static async Task<IMessage> ReadAsync(HttpContext context, Route route)
    {
        if (!route.HasBody)
        {
            return JsonMessageReader.ReadQuery(route.Descriptor.InputType, context.Request.Query, name => name == "raw" && route.Call.RawField.Length > 0);
        }

        if (context.Request.Query.Count > 0)
        {
            throw new RequestException($"Unknown query parameter: {context.Request.Query.Keys.First()}");
        }

        return JsonMessageReader.ReadBody(route.Descriptor.InputType, await ReadBodyAsync(context));
    }

    private static async Task<ReadOnlyMemory<byte>> ReadBodyAsync(HttpContext context)
    {
        if (context.Request.ContentLength > MaxBody)
        {
            throw TooLarge();
        }

        var reader = context.Request.BodyReader;
        while (true)
        {
            var read = await reader.ReadAsync(context.RequestAborted);
            if (read.Buffer.Length > MaxBody)
            {
                throw TooLarge();
            }

            if (read.IsCompleted)
            {
                var body = read.Buffer.ToArray();
                reader.AdvanceTo(read.Buffer.End);
                return body;
            }

            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    private static RequestException TooLarge() => new("The body is larger than 10 MiB", StatusCodes.Status413PayloadTooLarge);

    private static async Task AnswerAsync(HttpContext context, Route route, byte[] bytes)
    {
        context.Response.StatusCode = route.Call.Status == 0 ? StatusCodes.Status200OK : route.Call.Status;
        if (route.Call.FixedAnswer.Length > 0)
        {
            context.Response.ContentType = "application/json";
            await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(route.Call.FixedAnswer), context.RequestAborted);
            return;
        }

        var message = route.Descriptor.OutputType.Parser.ParseFrom(bytes);
        if (route.Call.RawField.Length > 0 && context.Request.Query["raw"] == "true")
        {
            var raw = (ByteString)route.Descriptor.OutputType.FindFieldByName(route.Call.RawField).Accessor.GetValue(message);
            context.Response.ContentType = "application/octet-stream";
            context.Response.ContentLength = raw.Length;
            await context.Response.Body.WriteAsync(raw.Memory, context.RequestAborted);
            return;
        }

        context.Response.ContentType = "application/json";
        if (route.ResponseField?.Accessor.GetValue(message) is IMessage inner)
        {
            message = inner;
        }

        await using (var json = new Utf8JsonWriter(context.Response.BodyWriter, Writing))
        {
            JsonMessageWriter.Write(json, message);
        }

        await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Answering {Call} failed.")]
    private partial void LogFault(Exception exception, string call);
}
