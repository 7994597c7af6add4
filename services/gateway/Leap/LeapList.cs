using Corral.Api.V1;
using Corral.Leap.V1;
using State = Corral.Api.V1.SandboxState;

namespace Corral.Gateway.Leap;

/// <summary>What the shared list is asked for, in native terms.</summary>
internal static class LeapList
{
    private const int DefaultSize = 20;
    private const int MaxSize = 100;

    private static readonly string[] Names = ["page", "page-size", "state", "sort", "order-by"];

    /// <summary>Whether a request speaks to the list in the leap dialect.</summary>
    public static bool IsAsked(HttpRequest request) => request.Path == "/v1/sandboxes" && Array.Exists(Names, request.Query.ContainsKey);

    public static ListRequest ToNative(ListSandboxesRequest request)
    {
        var problems = new Problems();
        var byPage = request.HasPage || request.HasPageSize || request.HasState || request.HasSort || request.HasOrderBy;
        var list = byPage ? new ListRequest { Page = PageOf(request, problems) } : new ListRequest { Cursor = request.Cursor };
        if (request.HasLimit)
        {
            if (byPage)
            {
                problems.Add("limit", "must not be given together with page, page-size, state, sort or order-by");
            }

            problems.Range("limit", request.Limit, 1, 1000);
            list.Limit = request.Limit;
        }

        if (byPage && request.HasCursor)
        {
            problems.Add("cursor", "must not be given together with page, page-size, state, sort or order-by");
        }

        problems.CheckFirst();
        return list;
    }

    private static ListPage PageOf(ListSandboxesRequest request, Problems problems)
    {
        var page = new ListPage
        {
            Number = request.HasPage ? request.Page : 1,
            Size = request.HasPageSize ? request.PageSize : DefaultSize,
            ByState = request.Sort == "state",
            Ascending = request.OrderBy == "asc",
        };
        problems.Range("page", page.Number, 1, int.MaxValue);
        problems.Range("page-size", page.Size, 1, MaxSize);
        if (request.HasState)
        {
            page.States.AddRange(StatesOf(request.State, problems));
        }

        if (request is { HasSort: true, Sort: not ("created_at" or "state") })
        {
            problems.Add("sort", "must be one of: created_at, state");
        }

        if (request is { HasOrderBy: true, OrderBy: not ("asc" or "desc") })
        {
            problems.Add("order-by", "must be one of: asc, desc");
        }

        return page;
    }

    private static State[] StatesOf(string state, Problems problems)
    {
        switch (state)
        {
            case "starting":
                return [State.Queued, State.Assigning];
            case "running":
                return [State.Ready, State.Active];
            case "snapshotting":
                return [State.Pausing];
            case "paused":
                return [State.Paused];
            case "deleting":
                return [State.Ending];
            case "stopping" or "stopped" or "unpausing":
                // No sandbox is ever in it.
                return [State.Unspecified];
            default:
                problems.Add("state", "must be one of: starting, stopping, snapshotting, running, paused, unpausing, stopped, deleting");
                return [];
        }
    }
}
