using System.IO.Pipelines;
using Corral.Egress.Flows;

namespace Corral.Egress.Termination;

/// <summary>What a sandbox receives, counted; a piece is on its way when the bandwidth allows it. Whoever disposes of the connection completes it.</summary>
internal sealed class MeteredWriter(PipeWriter inner, Flow flow) : PipeWriter
{
    private readonly CancellationToken _closing = flow.Closing;
    private long _owed;

    public override bool CanGetUnflushedBytes => inner.CanGetUnflushedBytes;

    public override long UnflushedBytes => inner.UnflushedBytes;

    public override void Advance(int bytes)
    {
        _owed += bytes;
        flow.AddReceived(bytes);
        inner.Advance(bytes);
    }

    public override Memory<byte> GetMemory(int sizeHint = 0) => inner.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => inner.GetSpan(sizeHint);

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        var wait = flow.Sandbox.Limiter.CarriedAsync(_owed, _closing);
        _owed = 0;
        return wait.IsCompletedSuccessfully ? inner.FlushAsync(cancellationToken) : WaitAndFlushAsync(wait, cancellationToken);
    }

    public override void CancelPendingFlush() => inner.CancelPendingFlush();

    public override void Complete(Exception? exception = null)
    {
        // Not yet: see HandedConnection.
    }

    private async ValueTask<FlushResult> WaitAndFlushAsync(ValueTask wait, CancellationToken cancellationToken)
    {
        await wait;
        return await inner.FlushAsync(cancellationToken);
    }
}
