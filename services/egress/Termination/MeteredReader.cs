using System.Buffers;
using System.IO.Pipelines;
using Corral.Egress.Flows;

namespace Corral.Egress.Termination;

/// <summary>What a sandbox sends, counted; the next piece is read when the bandwidth allows it. Whoever disposes of the connection completes it.</summary>
internal sealed class MeteredReader(PipeReader inner, Flow flow) : PipeReader
{
    private readonly CancellationToken _closing = flow.Closing;
    private ReadOnlySequence<byte> _seen;
    private long _owed;

    /// <summary>Whether all that the sandbox sent, and will send, was read.</summary>
    public bool AtEnd { get; private set; }

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        var wait = flow.Sandbox.Limiter.CarriedAsync(_owed, _closing);
        _owed = 0;
        if (!wait.IsCompletedSuccessfully)
        {
            return WaitAndReadAsync(wait, cancellationToken);
        }

        var read = inner.ReadAsync(cancellationToken);
        return read.IsCompletedSuccessfully ? new(Seen(read.Result)) : AwaitAsync(read);
    }

    public override bool TryRead(out ReadResult result)
    {
        if (!inner.TryRead(out result))
        {
            return false;
        }

        Seen(result);
        return true;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        var bytes = _seen.Slice(0, consumed).Length;
        _seen = default;
        _owed += bytes;
        flow.AddSent(bytes);
        inner.AdvanceTo(consumed, examined);
    }

    public override void CancelPendingRead() => inner.CancelPendingRead();

    public override void Complete(Exception? exception = null)
    {
        // Not yet: see HandedConnection.
    }

    private ReadResult Seen(ReadResult result)
    {
        _seen = result.Buffer;
        AtEnd |= result.IsCompleted;
        return result;
    }

    private async ValueTask<ReadResult> WaitAndReadAsync(ValueTask wait, CancellationToken cancellationToken)
    {
        await wait;
        return Seen(await inner.ReadAsync(cancellationToken));
    }

    private async ValueTask<ReadResult> AwaitAsync(ValueTask<ReadResult> read) => Seen(await read);
}
