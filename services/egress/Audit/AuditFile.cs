using Corral.Egress.V1;
using Google.Protobuf;

namespace Corral.Egress.Audit;

/// <summary>Records in a file, each behind its length. A process that died while it wrote leaves a tail that no reader takes for a record.</summary>
internal static class AuditFile
{
    private const int BufferSize = 64 * 1024;

    /// <summary>The records from a position on, and where each ends.</summary>
    public static IEnumerable<(AuditRecord Record, long End)> Read(string path, long from = 0)
    {
        if (!File.Exists(path)) yield break;
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, BufferSize);
        file.Position = Math.Min(from, file.Length);
        while (TryRead(file, out var record)) yield return (record, file.Position);
    }

    public static void Append(string path, IEnumerable<AuditRecord> records)
    {
        using var bytes = new MemoryStream();
        foreach (var record in records) record.WriteDelimitedTo(bytes);
        using var file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        var end = file.Length;
        try
        {
            file.Write(bytes.GetBuffer(), 0, (int)bytes.Length);
        }
        catch (IOException)
        {
            // A part of it may be there, and nobody would find what is written behind it.
            file.SetLength(end);
            throw;
        }
    }

    /// <summary>Takes a broken tail away; answers the last whole record.</summary>
    public static AuditRecord? Repair(string path)
    {
        AuditRecord? last = null;
        var end = 0L;
        foreach (var (record, at) in Read(path)) (last, end) = (record, at);
        if (!File.Exists(path)) return null;
        using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        if (file.Length > end) file.SetLength(end);
        return last;
    }

    private static bool TryRead(FileStream file, out AuditRecord record)
    {
        record = null!;
        if (file.Position >= file.Length) return false;
        try
        {
            record = AuditRecord.Parser.ParseDelimitedFrom(file);
            return true;
        }
        catch (InvalidProtocolBufferException)
        {
            return false;
        }
    }
}
