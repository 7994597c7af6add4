using System.Net;
using System.Net.Sockets;
using Corral.Egress.Gates;

namespace Corral.Egress.Flows;

/// <summary>One connection of a sandbox, from its acceptance to its end.</summary>
internal sealed class Flow : IDisposable
{
    private readonly CancellationTokenSource _closing;
    private long _sent;
    private long _received;
    private string? _closeReason;

    public Flow(AttachedSandbox sandbox, Socket client, IPEndPoint destination)
    {
        (Sandbox, Client, Destination) = (sandbox, client, destination);
        _closing = CancellationTokenSource.CreateLinkedTokenSource(sandbox.Detached);
    }

    public AttachedSandbox Sandbox { get; }

    /// <summary>The accepted socket. Only looked at (MSG_PEEK) until somebody takes the flow over.</summary>
    public Socket Client { get; }

    /// <summary>Where the sandbox thinks it is connected to.</summary>
    public IPEndPoint Destination { get; }

    /// <summary>The name that is dialled, normalised; null when it is an address without one.</summary>
    public string? Name { get; set; }

    /// <summary>The server name of its ClientHello, normalised; null when there was none.</summary>
    public string? ServerName { get; set; }

    public FlowProtocol Protocol { get; set; }

    /// <summary>What let it through.</summary>
    public string Rule { get; set; } = "";

    /// <summary>Whether it was handed to the terminator, which judges each request by itself.</summary>
    public bool IsTerminated { get; set; }

    /// <summary>What was dialled for it.</summary>
    public IPEndPoint? Remote { get; set; }

    /// <summary>Cancelled when it must end at once: the policy forbids it now, or the gate is let go.</summary>
    public CancellationToken Closing => _closing.Token;

    /// <summary>Why it was made to end; null when it was not.</summary>
    public string? CloseReason => Volatile.Read(ref _closeReason) ?? (Sandbox.Detached.IsCancellationRequested ? Refusals.Detached : null);

    /// <summary>Bytes that the sandbox sent.</summary>
    public long SentBytes => Interlocked.Read(ref _sent);

    /// <summary>Bytes that the sandbox received.</summary>
    public long ReceivedBytes => Interlocked.Read(ref _received);

    public void AddSent(long bytes) => Interlocked.Add(ref _sent, bytes);

    public void AddReceived(long bytes) => Interlocked.Add(ref _received, bytes);

    /// <summary>Makes it end, whoever has it now.</summary>
    public void Close(string reason)
    {
        Interlocked.CompareExchange(ref _closeReason, reason, null);
        try
        {
            _closing.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has ended by itself meanwhile.
        }
    }

    public void Dispose()
    {
        Client.Dispose();
        _closing.Dispose();
    }
}
