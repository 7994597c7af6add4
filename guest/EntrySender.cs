using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>Sends entries to a client in portions: a frame is small, and its text may be several times as long as the names.</summary>
internal sealed class EntrySender(int output)
{
    private const int PortionEntries = 100;
    private const int PortionLength = 8 * 1024;

    private List<GuestEntry> _portion = [];
    private int _length;

    public void Add(GuestEntry entry)
    {
        _portion.Add(entry);
        _length += entry.Name.Length + entry.Path.Length + (entry.Target?.Length ?? 0);
        if (_portion.Count == PortionEntries || _length > PortionLength)
        {
            Send(truncated: false);
        }
    }

    /// <summary>Sends what is left.</summary>
    public void Finish(bool truncated)
    {
        Send(truncated);
        Frames.Write(output, Frame.End, []);
    }

    private void Send(bool truncated)
    {
        Frames.Write(output, Frame.Result, new GuestResult { Entries = _portion, Truncated = truncated }, GuestJson.Default.GuestResult);
        (_portion, _length) = ([], 0);
    }
}
