using System.Diagnostics;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Corral.Hosting;

/// <summary>Wraps every RPC that a service answers: names the request in logs, and turns exceptions into errors that may be told.</summary>
internal sealed partial class CallInterceptor(ILogger<CallInterceptor> log, IHostApplicationLifetime lifetime) : Interceptor
{
    private const string UpstreamReason = "UPSTREAM_UNAVAILABLE";
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);

    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation) =>
        InvokeAsync(context, () => continuation(request, context));

    public override Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, ServerCallContext context, ClientStreamingServerMethod<TRequest, TResponse> continuation) =>
        InvokeAsync(context, () => continuation(requestStream, context));

    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation) =>
        InvokeAsync(context, async () =>
        {
            await continuation(request, responseStream, context);
            return true;
        });

    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, DuplexStreamingServerMethod<TRequest, TResponse> continuation) =>
        InvokeAsync(context, async () =>
        {
            await continuation(requestStream, responseStream, context);
            return true;
        });

    private async Task<T> InvokeAsync<T>(ServerCallContext context, Func<Task<T>> call)
    {
        using var scope = BeginScope(context.RequestHeaders);
        try
        {
            return await call();
        }
        catch (RpcException exception) when (RpcErrors.Read(exception).Reason.Length == 0 && exception.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded)
        {
            // A call of ours that did not get through. Its text speaks of sockets and paths.
            LogDependency(exception, UpstreamReason, context.Method);
            throw RpcErrors.Unavailable(UpstreamReason, "The service is unavailable. Try again shortly.", Retry);
        }
        catch (RpcException)
        {
            throw;
        }
        catch (DependencyUnavailableException exception)
        {
            LogDependency(exception, exception.Reason, context.Method);
            throw RpcErrors.Unavailable(exception.Reason, exception.Message, exception.RetryAfter);
        }
        catch (Exception) when (context.CancellationToken.IsCancellationRequested)
        {
            throw new RpcException(new Status(StatusCode.Cancelled, "The call was cancelled."));
        }
        catch (Exception) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            // Streams end with the host, one way or another: no fault of anybody's.
            throw RpcErrors.Unavailable("STOPPING", "The service is being stopped. Try again shortly.", Retry);
        }
        catch (Exception exception)
        {
            LogFault(exception, context.Method, Activity.Current?.TraceId.ToString() ?? "");
            throw RpcErrors.Internal("INTERNAL", "Something went wrong on our side.");
        }
    }

    private IDisposable? BeginScope(Metadata headers) =>
        headers.GetValue(CallerIdentity.RequestIdKey) is { Length: > 0 } id
            ? log.BeginScope(new KeyValuePair<string, object>[] { new("RequestId", id) })
            : null;

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Reason} while answering {Method}.")]
    private partial void LogDependency(Exception exception, string reason, string method);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} failed; trace {TraceId}.")]
    private partial void LogFault(Exception exception, string method, string traceId);
}
