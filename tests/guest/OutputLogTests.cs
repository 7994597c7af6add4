using Xunit;

namespace Corral.Guest.Tests;

/// <summary>What is kept of an output, against a list that keeps all of it.</summary>
public sealed class OutputLogTests
{
    private const int Capacity = 10_000;
    private const int Header = 3;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 40)]
    [InlineData(3, 700)]
    [InlineData(4, 5_000)]
    public void Whatever_is_written_the_newest_pieces_are_kept_whole_and_in_their_places(int seed, int longest)
    {
        var random = new Random(seed);
        var (log, all) = (new OutputLog(Capacity), new List<(byte Kind, byte[] Bytes)>());
        for (var i = 0; i < 3_000; i++)
        {
            var piece = new byte[random.Next(1, longest + 1)];
            random.NextBytes(piece);
            all.Add(((byte)random.Next(1, 3), piece));
            log.Add(all[^1].Kind, piece);
            if (i % 97 == 0 || i == 2_999) Check(log, all);
        }
    }

    [Fact]
    public void A_place_is_found_by_pieces_and_by_bytes()
    {
        var log = new OutputLog(Capacity);
        for (var i = 0; i < 5; i++) log.Add(1, new byte[] { (byte)(10 * i), (byte)((10 * i) + 1), (byte)((10 * i) + 2) });
        for (var bytes = 0; bytes < 15; bytes++)
        {
            var mark = log.AfterBytes(bytes);
            Assert.Equal(bytes, mark.Offset + mark.Inside);
            Assert.Equal((10 * (bytes / 3)) + (bytes % 3), Read(log, mark)[0]);
        }

        for (var pieces = 0; pieces < 5; pieces++) Assert.Equal(10 * pieces, Read(log, log.AfterPieces(pieces))[0]);
        Assert.Equal(log.End, log.AfterPieces(5));
        Assert.Equal(log.End, log.AfterPieces(500));
        Assert.Equal(log.End, log.AfterBytes(500));
        Assert.Equal(log.Start, log.AfterBytes(-1));
    }

    private static void Check(OutputLog log, List<(byte Kind, byte[] Bytes)> all)
    {
        var kept = all.Skip((int)log.Start.Sequence).ToList();
        Assert.NotEmpty(kept);
        Assert.Equal((all.Count, all.Sum(piece => piece.Bytes.Length)), (log.End.Sequence, log.End.Offset));
        Assert.Equal(all.Take((int)log.Start.Sequence).Sum(piece => piece.Bytes.Length), log.Start.Offset);
        Assert.InRange(kept.Sum(piece => piece.Bytes.Length + Header), 1, Capacity);
        // Not a piece less than there is room for.
        if (log.Start.Sequence > 0) Assert.True(kept.Sum(piece => piece.Bytes.Length + Header) + all[(int)log.Start.Sequence - 1].Bytes.Length + Header > Capacity);
        var mark = log.Start;
        foreach (var (kind, bytes) in kept)
        {
            var room = new byte[Capacity];
            var length = log.Read(ref mark, room, out var read);
            Assert.Equal(kind, read);
            Assert.Equal(bytes, room[..length]);
        }

        Assert.Equal(log.End, mark);
    }

    private static byte[] Read(OutputLog log, LogMark mark)
    {
        var room = new byte[100];
        return room[..log.Read(ref mark, room, out _)];
    }
}
