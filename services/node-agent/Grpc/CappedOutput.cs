using Google.Protobuf;

namespace Corral.NodeAgent.Grpc;

/// <summary>Keeps the head of an output, and tells whether there was more.</summary>
internal sealed class CappedOutput : IDisposable
{
    private const int Most = 4 << 20;
    private readonly MemoryStream _kept = new();

    public bool Truncated { get; private set; }

    public void Add(byte[] piece)
    {
        var room = (int)Math.Min(piece.Length, Most - _kept.Length);
        _kept.Write(piece, 0, room);
        Truncated |= room < piece.Length;
    }

    public ByteString Take() => ByteString.CopyFrom(_kept.GetBuffer(), 0, (int)_kept.Length);

    public void Dispose() => _kept.Dispose();
}
