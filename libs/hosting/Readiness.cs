using Grpc.Core;
using Grpc.Health.V1;
using Microsoft.Extensions.Hosting;

namespace Corral.Hosting;

/// <summary>Something a service needs before it can do its work.</summary>
public interface IReadinessCheck
{
    /// <summary>What is needed, such as <c>redis</c>.</summary>
    string Name { get; }

    /// <summary>Whether it is there. Must answer within a second or obey the token.</summary>
    ValueTask<bool> IsReadyAsync(CancellationToken cancellationToken);
}

/// <summary>Tells whether the process can do its work.</summary>
public sealed class Readiness(IEnumerable<IReadinessCheck> checks, IHostApplicationLifetime lifetime, TimeProvider clock)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly IReadinessCheck[] _checks = [.. checks];

    /// <summary>The names of what is missing; empty when the service is ready.</summary>
    public async ValueTask<IReadOnlyList<string>> MissingAsync(CancellationToken cancellationToken)
    {
        if (!lifetime.ApplicationStarted.IsCancellationRequested || lifetime.ApplicationStopping.IsCancellationRequested)
        {
            return ["running"];
        }

        var missing = new List<string>();
        foreach (var check in _checks)
        {
            if (!await IsReadyAsync(check, cancellationToken))
            {
                missing.Add(check.Name);
            }
        }

        return missing;
    }

    private async ValueTask<bool> IsReadyAsync(IReadinessCheck check, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(Patience, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            return await check.IsReadyAsync(both.Token).AsTask().WaitAsync(Patience, clock, cancellationToken);
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }
}

/// <summary>The standard health protocol, <c>grpc.health.v1</c>. The whole process is one subject, named by the empty string.</summary>
internal sealed class HealthService(Readiness readiness, IHostApplicationLifetime lifetime, TimeProvider clock) : Health.HealthBase
{
    private static readonly TimeSpan WatchPeriod = TimeSpan.FromSeconds(1);

    public override async Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context)
    {
        if (request.Service.Length > 0)
        {
            throw RpcErrors.NotFound("SERVICE_UNKNOWN", "Only the whole process is watched: leave the service empty.");
        }

        return new HealthCheckResponse { Status = await StatusAsync(context.CancellationToken) };
    }

    public override async Task Watch(HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        HealthCheckResponse.Types.ServingStatus? told = null;
        while (!ended.IsCancellationRequested)
        {
            var status = request.Service.Length > 0
                ? HealthCheckResponse.Types.ServingStatus.ServiceUnknown
                : await StatusAsync(ended.Token);
            if (status != told)
            {
                await responseStream.WriteAsync(new HealthCheckResponse { Status = status }, ended.Token);
                told = status;
            }

            await Task.Delay(WatchPeriod, clock, ended.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<HealthCheckResponse.Types.ServingStatus> StatusAsync(CancellationToken cancellationToken) =>
        (await readiness.MissingAsync(cancellationToken)).Count == 0
            ? HealthCheckResponse.Types.ServingStatus.Serving
            : HealthCheckResponse.Types.ServingStatus.NotServing;
}
