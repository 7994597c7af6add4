using System.Globalization;
using System.Threading.RateLimiting;
using Corral.Gateway.Security;
using Corral.Hosting;
using Grpc.Core;

namespace Corral.Gateway.Routing;

/// <summary>
/// How much of an organisation's long requests and answers is in this replica's memory at once. Who finds no room waits for others of its own
/// organisation, and is refused when that takes too long: nobody else's requests wait for a client that is slow, or has too much at once.
/// </summary>
internal sealed class MemoryShares(TimeProvider clock) : IDisposable
{
    /// <summary>What an organisation has.</summary>
    public const int MostBytes = 256 * 1024 * 1024;

    /// <summary>What is shorter is not counted.</summary>
    public const int Short = 64 * 1024;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(1);

    private readonly PartitionedRateLimiter<string> _shares = PartitionedRateLimiter.Create<string, string>(organization =>
        RateLimitPartition.GetConcurrencyLimiter(organization, static _ => new ConcurrencyLimiterOptions { PermitLimit = MostBytes / Short, QueueLimit = int.MaxValue }));

    /// <summary>Has a request pay for what it takes.</summary>
    public void Charge(HttpContext context, Caller caller) => context.Features.Set(new Account(this, caller.Identity.OrganizationId));

    /// <summary>Takes room for the body of a request until it is answered, once; for one that is not charged, none.</summary>
    public static ValueTask TakeForBodyAsync(HttpContext context, long bytes) =>
        context.Features.Get<Account>() is { HasBody: false } account ? account.TakeForBodyAsync(context, bytes) : ValueTask.CompletedTask;

    /// <summary>Takes room for its answer until that is written.</summary>
    public static ValueTask TakeForAnswerAsync(HttpContext context, long bytes) =>
        context.Features.Get<Account>() is { } account ? account.TakeAsync(context, bytes) : ValueTask.CompletedTask;

    public void Dispose() => _shares.Dispose();

    private async ValueTask TakeAsync(HttpContext context, string organization, long bytes)
    {
        using var late = new CancellationTokenSource(Patience, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, context.RequestAborted);
        try
        {
            var lease = await _shares.AcquireAsync(organization, (int)((bytes + Short - 1) / Short), either.Token);
            context.Response.RegisterForDispose(lease.IsAcquired ? lease : throw Refusal());
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            throw Refusal();
        }
    }

    private static RpcException Refusal() => RpcErrors.ResourceExhausted(
        "TOO_MUCH_AT_ONCE",
        "Too many long requests, or files that are read whole, at once: together they may have 256 MiB",
        new Dictionary<string, string> { ["limitBytes"] = MostBytes.ToString(CultureInfo.InvariantCulture) },
        Again);

    private sealed class Account(MemoryShares shares, string organization)
    {
        public bool HasBody { get; private set; }

        public ValueTask TakeForBodyAsync(HttpContext context, long bytes)
        {
            HasBody = true;
            return TakeAsync(context, bytes);
        }

        public ValueTask TakeAsync(HttpContext context, long bytes) => shares.TakeAsync(context, organization, bytes);
    }
}
