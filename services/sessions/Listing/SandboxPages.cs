using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.Grpc;
using Corral.Sessions.Records;

namespace Corral.Sessions.Listing;

/// <summary>Pages of an organisation's sandboxes that are not over. They are as few as its limits allow, so all of them are read.</summary>
internal sealed class SandboxPages(SandboxStore store)
{
    private const int DefaultSize = 20;
    private const int MaxSize = 100;

    public async Task<ListResponse> ReadAsync(string organization, ListPage page)
    {
        var number = page.Number == 0 ? 1 : page.Number;
        var size = page.Size == 0 ? DefaultSize : page.Size;
        if (number < 1)
        {
            throw RpcErrors.InvalidArgument("page.number", "must be at least 1");
        }

        if (size is < 1 or > MaxSize)
        {
            throw RpcErrors.InvalidArgument("page.size", $"must be 1 to {MaxSize}");
        }

        var ids = await store.OpenAsync(organization);
        var records = (await Task.WhenAll(ids.Select(id => store.FindAsync(organization, id))))
            .OfType<Versioned>().Select(found => found.Record)
            .Where(record => !record.IsOver && (page.States.Count == 0 || page.States.Contains(record.State)))
            .ToList();
        var response = new ListResponse { TotalItems = records.Count };
        response.Items.AddRange(Order(records, page).Skip((int)Math.Min((long)(number - 1) * size, int.MaxValue)).Take(size).Select(record => record.ToSandbox()));
        return response;
    }

    private static IEnumerable<SandboxRecord> Order(List<SandboxRecord> records, ListPage page) => (page.ByState, page.Ascending) switch
    {
        (false, false) => records.OrderByDescending(r => r.CreatedAt).ThenBy(r => r.Id, StringComparer.Ordinal),
        (false, true) => records.OrderBy(r => r.CreatedAt).ThenBy(r => r.Id, StringComparer.Ordinal),
        (true, false) => records.OrderByDescending(r => r.State.ToString(), StringComparer.Ordinal).ThenByDescending(r => r.CreatedAt),
        (true, true) => records.OrderBy(r => r.State.ToString(), StringComparer.Ordinal).ThenByDescending(r => r.CreatedAt),
    };
}
