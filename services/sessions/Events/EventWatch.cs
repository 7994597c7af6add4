using System.Runtime.CompilerServices;
using Corral.Sessions.Lifecycle;

namespace Corral.Sessions.Events;

/// <summary>Reads on as events happen.</summary>
internal sealed class EventWatch(EventLog log, ChangeFeed changes)
{
    private const int PageSize = 100;

    /// <summary>Pages of events after a number, by the organisation or of one sandbox, for ever. No page is without events or a gap.</summary>
    public async IAsyncEnumerable<EventPage> FollowAsync(string organization, string sandboxId, long after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            var change = changes.NextAsync(organization);
            var page = sandboxId.Length == 0
                ? await log.ReadAsync(organization, after, PageSize)
                : await log.ReadAsync(organization, sandboxId, after, PageSize);
            after = page.Next;
            if (page.Events.Count > 0 || page.Missed > 0)
            {
                yield return page;
            }
            else
            {
                await changes.WaitAsync(change, cancellationToken);
            }
        }
    }
}
