using System.IO.Pipelines;
using System.Net;
using Corral.Egress.Flows;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace Corral.Egress.Termination;

/// <summary>A flow's socket as Kestrel sees it: counted, held to the sandbox's bandwidth, and with an end that can be waited for.</summary>
internal sealed class HandedConnection : ConnectionContext, IDuplexPipe
{
    private readonly ConnectionContext _inner;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public HandedConnection(ConnectionContext inner, Flow flow)
    {
        _inner = inner;
        inner.Features.Set(flow);
        Input = new MeteredReader(inner.Transport.Input, flow);
        Output = new MeteredWriter(inner.Transport.Output, flow);
        Transport = this;
    }

    /// <summary>Done when Kestrel has let go of it and everything is written.</summary>
    public Task Ended => _ended.Task;

    public PipeReader Input { get; }

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

    public override void Abort(ConnectionAbortedException abortReason) => _inner.Abort(abortReason);

    public override async ValueTask DisposeAsync()
    {
        try
        {
            await _inner.DisposeAsync();
        }
        finally
        {
            await base.DisposeAsync();
            _ended.TrySetResult();
        }
    }
}
