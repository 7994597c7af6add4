using System.Text;

namespace Corral.Guest;

/// <summary>One thing that inotify told.</summary>
/// <param name="Watch">Which directory; -1 when the kernel's queue overflowed.</param>
/// <param name="Mask">What happened.</param>
/// <param name="Name">To which entry; empty for the directory itself.</param>
internal readonly record struct InotifyEvent(int Watch, uint Mask, string Name);

/// <summary>The kernel's watches (inotify(7)).</summary>
internal sealed unsafe class Inotify : IDisposable
{
    public const uint Modify = 0x2;
    public const uint Attributes = 0x4;
    public const uint MovedFrom = 0x40;
    public const uint MovedTo = 0x80;
    public const uint Create = 0x100;
    public const uint Delete = 0x200;
    public const uint DeleteSelf = 0x400;
    public const uint MoveSelf = 0x800;
    public const uint Overflow = 0x4000;
    public const uint Ignored = 0x8000;
    public const uint IsDirectory = 0x40000000;

    private const uint OnlyDirectories = 0x01000000;
    private const uint DontFollow = 0x02000000;
    private const uint ExceptUnlinked = 0x04000000;
    private const uint Wanted = Modify | Attributes | MovedFrom | MovedTo | Create | Delete | DeleteSelf | MoveSelf | OnlyDirectories | DontFollow | ExceptUnlinked;
    private const int HeaderLength = 16;

    private readonly byte[] _buffer = new byte[64 * 1024];

    public int Fd { get; } = Libc.inotify_init1(Libc.OCloexec | Libc.ONonblock);

    /// <summary>The watch's number, or the error number negated.</summary>
    public int Add(string directory)
    {
        fixed (byte* path = FilePath.Bytes(directory))
        {
            var watch = Libc.inotify_add_watch(Fd, path, Wanted);
            return watch >= 0 ? watch : -Libc.LastError;
        }
    }

    public void Remove(int watch) => _ = Libc.inotify_rm_watch(Fd, watch);

    /// <summary>What there is to read now.</summary>
    public List<InotifyEvent> Read()
    {
        var events = new List<InotifyEvent>();
        var length = Libc.Read(Fd, _buffer);
        for (var at = 0; at + HeaderLength <= length;)
        {
            var nameLength = BitConverter.ToInt32(_buffer, at + 12);
            var name = _buffer.AsSpan(at + HeaderLength, nameLength);
            var end = name.IndexOf((byte)0);
            events.Add(new InotifyEvent(BitConverter.ToInt32(_buffer, at), BitConverter.ToUInt32(_buffer, at + 4), Encoding.UTF8.GetString(end < 0 ? name : name[..end])));
            at += HeaderLength + nameLength;
        }

        return events;
    }

    public void Dispose() => _ = Libc.close(Fd);
}
