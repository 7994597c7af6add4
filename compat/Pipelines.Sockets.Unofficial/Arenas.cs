using System.Runtime.CompilerServices;

namespace Pipelines.Sockets.Unofficial.Arenas;

/// <summary>Turns one value into another.</summary>
public delegate TResult Projection<T, out TResult>(in T x);

/// <summary>Turns two values into another.</summary>
public delegate TResult Projection<T1, T2, out TResult>(in T1 x, in T2 y);

/// <summary>Options of an arena; this one always clears what it gives back.</summary>
[Flags]
public enum ArenaFlags
{
    None = 0,
    ClearAtReset = 1,
    ClearAtDispose = 2,
    DisableBlittableSharing = 4,
    BlittableNonPaddedSharing = 8,
    DisableBlittablePooling = 16,
}

/// <summary>Options of an arena.</summary>
public class ArenaOptions(ArenaFlags flags = ArenaFlags.None, int blockSizeBytes = 0, Func<long, long, long>? retentionPolicy = null)
{
    public ArenaFlags Flags { get; } = flags;

    public int BlockSizeBytes { get; } = blockSizeBytes;

    public Func<long, long, long>? RetentionPolicy { get; } = retentionPolicy;
}

/// <summary>Provides an arena's memory; the stand-in always uses arrays.</summary>
public abstract class Allocator<T>;

/// <summary>Hands out runs of values that are all given back at once.</summary>
public sealed class Arena<T>(ArenaOptions? options = null, Allocator<T>? allocator = null) : IDisposable
{
    private const int BlockLength = 256;

    private readonly ArenaOptions? _options = options;
    private readonly Allocator<T>? _allocator = allocator;
    private T[] _block = [];
    private int _used;

    public Sequence<T> Allocate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (_block.Length - _used < length)
        {
            // Runs handed out before keep their own block alive.
            _block = new T[Math.Max(BlockLength, length)];
            _used = 0;
        }

        var run = new Sequence<T>(_block, _used, length);
        _used += length;
        return run;
    }

    public void Reset()
    {
        Array.Clear(_block, 0, _used);
        _used = 0;
    }

    public void Dispose()
    {
        _block = [];
        _used = 0;
    }
}

/// <summary>A run of values whose type is not known to the holder.</summary>
public readonly struct Sequence
{
    private readonly Array? _array;
    private readonly int _offset;
    private readonly int _length;

    internal Sequence(Array? array, int offset, int length)
    {
        _array = array;
        _offset = offset;
        _length = length;
    }

    public long Length => _length;

    public Sequence<T> Cast<T>() => _array is null ? default : new Sequence<T>((T[])_array, _offset, _length);
}

/// <summary>A run of values.</summary>
public readonly struct Sequence<T>
{
    private readonly T[]? _array;
    private readonly int _offset;
    private readonly int _length;

    internal Sequence(T[] array, int offset, int length)
    {
        _array = array;
        _offset = offset;
        _length = length;
    }

    public long Length => _length;

    public bool IsEmpty => _length == 0;

    public bool IsSingleSegment => true;

    public Span<T> FirstSpan => new(_array, _offset, _length);

    public SpanEnumerable Spans => new(this);

    public ref T this[int index] => ref FirstSpan[index];

    public Sequence Untyped() => new(_array, _offset, _length);

    public Enumerator GetEnumerator() => new(this);

    /// <summary>Walks the values.</summary>
    public ref struct Enumerator
    {
        private readonly Span<T> _span;
        private int _index;

        internal Enumerator(Sequence<T> sequence)
        {
            _span = sequence.FirstSpan;
            _index = -1;
        }

        public readonly ref T Current => ref _span[_index];

        public bool MoveNext() => ++_index < _span.Length;

        public ref T GetNext()
        {
            if (!MoveNext())
            {
                throw new InvalidOperationException("The sequence has no further element.");
            }

            return ref Current;
        }
    }

    /// <summary>The run's spans, of which there is one.</summary>
    public readonly ref struct SpanEnumerable
    {
        private readonly Sequence<T> _sequence;

        internal SpanEnumerable(Sequence<T> sequence) => _sequence = sequence;

        public SpanEnumerator GetEnumerator() => new(_sequence);
    }

    /// <summary>Walks the run's spans.</summary>
    public ref struct SpanEnumerator
    {
        private readonly Span<T> _span;
        private bool _given;

        internal SpanEnumerator(Sequence<T> sequence) => _span = sequence.FirstSpan;

        public readonly Span<T> Current => _span;

        public bool MoveNext() => !_given && (_given = true);
    }
}

/// <summary>Copies runs through a projection.</summary>
public static class SequenceExtensions
{
    public static void CopyTo<TSource, TDestination>(in this Sequence<TSource> source, Span<TDestination> destination, Projection<TSource, TDestination> projection)
    {
        var span = source.FirstSpan;
        for (var i = 0; i < span.Length; i++)
        {
            destination[i] = projection(in span[i]);
        }
    }

    public static TDestination[] ToArray<TSource, TDestination>(in this Sequence<TSource> source, Projection<TSource, TDestination> projection)
    {
        var result = new TDestination[source.Length];
        source.CopyTo(result, projection);
        return result;
    }

    public static TDestination[] ToArray<TSource, TState, TDestination>(
        in this Sequence<TSource> source, Projection<TSource, TState, TDestination> projection, in TState state)
    {
        var span = source.FirstSpan;
        var result = new TDestination[span.Length];
        for (var i = 0; i < span.Length; i++)
        {
            result[i] = projection(in span[i], in state);
        }

        return result;
    }
}
