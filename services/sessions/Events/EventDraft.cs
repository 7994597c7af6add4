namespace Corral.Sessions.Events;

/// <summary>An event that a script is to append, as <c>event.lua</c> reads it. Numbers are texts: Lua would round them.</summary>
/// <param name="Id">The event's id.</param>
/// <param name="Organization">Whose it is, to wake those who wait for it.</param>
/// <param name="Type">What happens.</param>
/// <param name="Sandbox">The sandbox that it happens to; empty for none.</param>
/// <param name="At">When, in milliseconds.</param>
/// <param name="Data">Its <see cref="EventFacts"/>, as JSON.</param>
/// <param name="Since">What is older than this, in milliseconds, is kept no longer.</param>
/// <param name="Kept">For how long the log of an organisation stays to which nothing happens, in milliseconds.</param>
/// <param name="Most">How many are kept.</param>
internal sealed record EventDraft(string Id, string Organization, string Type, string Sandbox, string At, string Data, string Since, string Kept, string Most);
