namespace Corral.Redis;

/// <summary>
/// Where sessions says that something of an organisation has changed, so that whoever keeps its answers forgets them. The message is the organisation's id.
/// </summary>
/// <remarks>
/// It is published by the script that writes, so no reader sees a change that was not told of. What routes marked <c>kept</c> read, and who writes it:
/// <list type="bullet">
/// <item>sandboxes, their lists, what lives, runs and waits, and usage: <c>Records/save.lua</c>, the only writer of all of them;</item>
/// <item>API keys: <c>Keys/add.lua</c> and <c>Keys/change.lua</c>;</item>
/// <item>an organisation's name and plan: <c>Organizations/change.lua</c>. One that is made has no key yet, and so no answers.</item>
/// </list>
/// Not told of is what time alone does: a key that expires, time that is metered, a sandbox that has been over for 30 days. Kept answers are late by that, at most a second.
/// </remarks>
public static class OrganizationNotices
{
    /// <summary>The channel.</summary>
    public const string Channel = "organization-changes";
}
