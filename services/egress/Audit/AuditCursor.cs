namespace Corral.Egress.Audit;

/// <summary>How far somebody has read.</summary>
/// <param name="After">The last sequence number that was seen.</param>
/// <param name="Generation">Which file that was, so that its place in it is worth something.</param>
/// <param name="Offset">The place; 0 when it is not known.</param>
internal readonly record struct AuditCursor(long After, long Generation = -1, long Offset = 0);
