using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;

namespace Pipelines.Sockets.Unofficial;

/// <summary>A duplex pipe that counts its bytes.</summary>
public interface IMeasuredDuplexPipe : IDuplexPipe
{
    long TotalBytesSent { get; }

    long TotalBytesReceived { get; }
}

/// <summary>Why a connection ended.</summary>
public enum PipeShutdownKind
{
    None,
    PipeDisposed,
    ReadEndOfStream,
    ReadDisposed,
    ReadIOException,
    ReadException,
    ReadSocketError,
    ReadFlushCompleted,
    ReadFlushCanceled,
    WriteEndOfStream,
    WriteDisposed,
    WriteIOException,
    WriteException,
    WriteSocketError,
    InputReaderCompleted,
    InputWriterCompleted,
    OutputReaderCompleted,
    OutputWriterCompleted,
    ProtocolExitClient,
    ProtocolExitServer,
}

/// <summary>How a socket's loops run.</summary>
[Flags]
public enum SocketConnectionOptions
{
    None = 0,
    ZeroLengthReads = 1,
    InlineReads = 2,
    InlineWrites = 4,
    InlineConnect = 8,
}

/// <summary>A connection that the peer reset.</summary>
public sealed class ConnectionResetException : IOException
{
    public ConnectionResetException(string message)
        : base(message)
    {
    }

    public ConnectionResetException(string message, Exception inner)
        : base(message, inner)
    {
    }
}

/// <summary>A socket as a duplex pipe: one loop receives into the input, one sends from the output.</summary>
public sealed class SocketConnection : IMeasuredDuplexPipe, IDisposable
{
    private readonly Socket _socket;
    private readonly Pipe _receive;
    private readonly Pipe _send;
    private long _bytesRead;
    private long _bytesSent;
    private int _lastReceived;
    private int _shutdown;
    private int _socketError;

    private SocketConnection(Socket socket, PipeOptions sendOptions, PipeOptions receiveOptions)
    {
        _socket = socket;
        _send = new Pipe(sendOptions);
        _receive = new Pipe(receiveOptions);
        receiveOptions.ReaderScheduler.Schedule(static state => _ = ((SocketConnection)state!).ReceiveAsync(), this);
        sendOptions.ReaderScheduler.Schedule(static state => _ = ((SocketConnection)state!).SendAsync(), this);
    }

    public PipeReader Input => _receive.Reader;

    public PipeWriter Output => _send.Writer;

    public Socket Socket => _socket;

    public long BytesRead => Interlocked.Read(ref _bytesRead);

    public long BytesSent => Interlocked.Read(ref _bytesSent);

    public int LastReceived => Volatile.Read(ref _lastReceived);

    public PipeShutdownKind ShutdownKind => (PipeShutdownKind)Volatile.Read(ref _shutdown);

    public SocketError SocketError => (SocketError)Volatile.Read(ref _socketError);

    long IMeasuredDuplexPipe.TotalBytesSent => BytesSent;

    long IMeasuredDuplexPipe.TotalBytesReceived => BytesRead;

    public static SocketConnection Create(
        Socket socket, PipeOptions sendPipeOptions, PipeOptions receivePipeOptions, SocketConnectionOptions connectionOptions = SocketConnectionOptions.None, string? name = null)
    {
        _ = (connectionOptions, name);
        return new SocketConnection(socket, sendPipeOptions ?? PipeOptions.Default, receivePipeOptions ?? PipeOptions.Default);
    }

    public static void AssertDependencies()
    {
    }

    public static void SetRecommendedClientOptions(Socket socket)
    {
        if (socket.AddressFamily != AddressFamily.Unix)
        {
            socket.NoDelay = true;
        }
    }

    public bool TrySetProtocolShutdown(PipeShutdownKind kind) =>
        kind is PipeShutdownKind.ProtocolExitClient or PipeShutdownKind.ProtocolExitServer && TrySetShutdown(kind);

    public Counters GetCounters() => new(_socket, 0, 0);

    public void Dispose()
    {
        TrySetShutdown(PipeShutdownKind.PipeDisposed);
        _socket.Dispose();
        _receive.Writer.CancelPendingFlush();
        _send.Reader.CancelPendingRead();
    }

    private async Task ReceiveAsync()
    {
        Exception? error = null;
        try
        {
            while (true)
            {
                var buffer = _receive.Writer.GetMemory(1);
                var count = await _socket.ReceiveAsync(buffer, SocketFlags.None).ConfigureAwait(false);
                Volatile.Write(ref _lastReceived, count);
                if (count <= 0)
                {
                    TrySetShutdown(PipeShutdownKind.ReadEndOfStream);
                    break;
                }

                Interlocked.Add(ref _bytesRead, count);
                _receive.Writer.Advance(count);
                var flushed = await _receive.Writer.FlushAsync().ConfigureAwait(false);
                if (flushed.IsCompleted || flushed.IsCanceled)
                {
                    TrySetShutdown(flushed.IsCompleted ? PipeShutdownKind.ReadFlushCompleted : PipeShutdownKind.ReadFlushCanceled);
                    break;
                }
            }
        }
        catch (SocketException exception)
        {
            Volatile.Write(ref _socketError, (int)exception.SocketErrorCode);
            TrySetShutdown(PipeShutdownKind.ReadSocketError);
            error = exception.SocketErrorCode == SocketError.ConnectionReset ? new ConnectionResetException(exception.Message, exception) : exception;
        }
        catch (ObjectDisposedException)
        {
            TrySetShutdown(PipeShutdownKind.ReadDisposed);
        }
        catch (Exception exception)
        {
            TrySetShutdown(PipeShutdownKind.ReadException);
            error = exception;
        }

        await _receive.Writer.CompleteAsync(error).ConfigureAwait(false);
    }

    private async Task SendAsync()
    {
        Exception? error = null;
        try
        {
            while (true)
            {
                var read = await _send.Reader.ReadAsync().ConfigureAwait(false);
                foreach (var segment in read.Buffer)
                {
                    for (var rest = segment; rest.Length > 0;)
                    {
                        var sent = await _socket.SendAsync(rest, SocketFlags.None).ConfigureAwait(false);
                        Interlocked.Add(ref _bytesSent, sent);
                        rest = rest[sent..];
                    }
                }

                _send.Reader.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted || read.IsCanceled)
                {
                    TrySetShutdown(PipeShutdownKind.WriteEndOfStream);
                    break;
                }
            }

            _socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException exception)
        {
            Volatile.Write(ref _socketError, (int)exception.SocketErrorCode);
            TrySetShutdown(PipeShutdownKind.WriteSocketError);
            error = exception;
        }
        catch (ObjectDisposedException)
        {
            TrySetShutdown(PipeShutdownKind.WriteDisposed);
        }
        catch (Exception exception)
        {
            TrySetShutdown(PipeShutdownKind.WriteException);
            error = exception;
        }

        await _send.Reader.CompleteAsync(error).ConfigureAwait(false);
    }

    // The first reason stands.
    private bool TrySetShutdown(PipeShutdownKind kind) => Interlocked.CompareExchange(ref _shutdown, (int)kind, 0) == 0;

    /// <summary>How much waits where.</summary>
    public readonly struct Counters
    {
        internal Counters(Socket socket, long toBeSent, long toBeRead)
        {
            BytesWaitingToBeSent = toBeSent;
            BytesWaitingToBeRead = toBeRead;
            try
            {
                BytesAvailableOnSocket = socket.Available;
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                BytesAvailableOnSocket = -1;
            }
        }

        public long BytesAvailableOnSocket { get; }

        public long BytesWaitingToBeSent { get; }

        public long BytesWaitingToBeRead { get; }
    }
}

/// <summary>Streams as pipes.</summary>
public static class StreamConnection
{
    public static IDuplexPipe GetDuplex(Stream stream, PipeOptions sendPipeOptions, PipeOptions receivePipeOptions, string? name = null)
    {
        _ = (sendPipeOptions, receivePipeOptions, name);
        return new Duplex(PipeReader.Create(stream), PipeWriter.Create(stream));
    }

    public static PipeReader GetReader(Stream stream, PipeOptions? pipeOptions = null, string? name = null)
    {
        _ = (pipeOptions, name);
        return PipeReader.Create(stream);
    }

    private sealed class Duplex(PipeReader input, PipeWriter output) : IDuplexPipe
    {
        public PipeReader Input => input;

        public PipeWriter Output => output;
    }
}
