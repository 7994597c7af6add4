using System.IO.Pipelines;
using System.Net;
using Corral.Egress.Flows;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace Corral.Egress.Termination;

/// <summary>A flow's socket as Kestrel sees it: counted, held to the sandbox's bandwidth, and with an end that can be waited for.</summary>
internal sealed class HandedConnection : ConnectionContext, IDuplexPipe
{
    private const int MostDrained = 256 * 1024;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly ConnectionContext _inner;
    private readonly Flow _flow;
    private readonly TimeProvider _clock;
    private readonly MeteredReader _input;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private bool _aborted;

    public HandedConnection(ConnectionContext inner, Flow flow, TimeProvider clock)
    {
        (_inner, _flow, _clock) = (inner, flow, clock);
        inner.Features.Set(flow);
        _input = new MeteredReader(inner.Transport.Input, flow);
        Output = new MeteredWriter(inner.Transport.Output, flow);
        Transport = this;
    }

    /// <summary>Done when Kestrel has let go of it and everything is written.</summary>
    public Task Ended => _ended.Task;

    public PipeReader Input => _input;

    public PipeWriter Output { get; }

    public override IDuplexPipe Transport { get; set; }

    public override string ConnectionId
    {
        get => _inner.ConnectionId;
        set => _inner.ConnectionId = value;
    }

    public override IFeatureCollection Features => _inner.Features;

    public override IDictionary<object, object?> Items
    {
        get => _inner.Items;
        set => _inner.Items = value;
    }

    public override CancellationToken ConnectionClosed
    {
        get => _inner.ConnectionClosed;
        set => _inner.ConnectionClosed = value;
    }

    public override EndPoint? LocalEndPoint => null;

    public override EndPoint? RemoteEndPoint => null;

    public override void Abort(ConnectionAbortedException abortReason)
    {
        _aborted = true;
        _inner.Abort(abortReason);
    }

    public override async ValueTask DisposeAsync()
    {
        try
        {
            if (!_aborted && !_input.AtEnd && _flow.HasUnanswered)
            {
                await DrainAsync(_inner.Transport.Input);
            }

            await _inner.DisposeAsync();
        }
        finally
        {
            await base.DisposeAsync();
            _ended.TrySetResult();
        }
    }

    // Who is refused in the middle of a request reads why when it has said all: what it still sends would turn the end into a reset.
    private async Task DrainAsync(PipeReader input)
    {
        using var patience = new CancellationTokenSource(Patience, _clock);
        try
        {
            for (long all = 0; all < MostDrained && !_input.AtEnd;)
            {
                var read = await input.ReadAsync(patience.Token);
                all += read.Buffer.Length;
                input.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted) return;
            }
        }
        catch (Exception problem) when (problem is OperationCanceledException or IOException or InvalidOperationException)
        {
            // It did not listen, or somebody was cut off while reading.
        }
    }
}
