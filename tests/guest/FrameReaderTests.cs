using System.Buffers.Binary;
using Corral.GuestLink;
using Xunit;

namespace Corral.Guest.Tests;

public sealed class FrameReaderTests
{
    [Fact]
    public void Frames_come_out_as_they_went_in_however_the_bytes_were_torn()
    {
        for (var seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            var frames = Enumerable.Range(0, random.Next(1, 20)).Select(_ => (Kind: (byte)random.Next(256), Payload: Bytes(random, random.Next(4) == 0 ? 0 : random.Next(5000)))).ToList();
            var seen = Read([.. frames.SelectMany(frame => Encode(frame.Kind, frame.Payload))], random, out var broken);
            Assert.False(broken, $"seed {seed}");
            Assert.Equal(frames.Select(frame => (frame.Kind, Convert.ToHexString(frame.Payload))), seen.Select(frame => (frame.Kind, Convert.ToHexString(frame.Payload))));
        }
    }

    [Fact]
    public void Whatever_comes_no_frame_is_longer_than_frames_are()
    {
        for (var seed = 0; seed < 2000; seed++)
        {
            var random = new Random(seed);
            var garbage = Bytes(random, random.Next(1, 3000));
            foreach (var (_, payload) in Read(garbage, random, out _)) Assert.InRange(payload.Length, 0, Frame.MaxPayload);
        }
    }

    [Theory]
    [InlineData(Frame.MaxPayload, false)]
    [InlineData(Frame.MaxPayload + 1, true)]
    [InlineData(-1, true)]
    [InlineData(int.MinValue, true)]
    public void A_length_beyond_the_longest_is_refused_before_anything_is_kept(int length, bool refused)
    {
        var header = new byte[Frame.HeaderLength];
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(1), length);
        Read(header, new Random(0), out var broken);
        Assert.Equal(refused, broken);
    }

    private static List<(byte Kind, byte[] Payload)> Read(byte[] bytes, Random random, out bool broken)
    {
        var reader = new FrameReader();
        var frames = new List<(byte, byte[])>();
        broken = false;
        for (var at = 0; at < bytes.Length && !broken;)
        {
            var count = Math.Min(Math.Min(reader.Room.Length, random.Next(1, 1500)), bytes.Length - at);
            bytes.AsSpan(at, count).CopyTo(reader.Room);
            at += count;
            var step = reader.Advance(count);
            if (step == FrameStep.Whole)
            {
                var payload = reader.Take(out var kind);
                frames.Add((kind, payload));
            }

            broken = step == FrameStep.Broken;
        }

        return frames;
    }

    private static byte[] Encode(byte kind, byte[] payload)
    {
        var frame = new byte[Frame.HeaderLength + payload.Length];
        frame[0] = kind;
        BinaryPrimitives.WriteInt32LittleEndian(frame.AsSpan(1), payload.Length);
        payload.CopyTo(frame, Frame.HeaderLength);
        return frame;
    }

    private static byte[] Bytes(Random random, int length)
    {
        var bytes = new byte[length];
        random.NextBytes(bytes);
        return bytes;
    }
}
