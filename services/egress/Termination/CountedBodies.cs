namespace Corral.Egress.Termination;

/// <summary>How many bytes of a request and of its answer passed. What an upgraded connection carries is in its connection's record.</summary>
internal sealed class CountedBodies
{
    private readonly CountingStream _request;
    private readonly CountingStream _response;

    private CountedBodies(CountingStream request, CountingStream response) => (_request, _response) = (request, response);

    public long Sent => _request.Count;

    public long Received => _response.Count;

    public static CountedBodies Wrap(HttpContext context)
    {
        var counted = new CountedBodies(new CountingStream(context.Request.Body), new CountingStream(context.Response.Body));
        context.Request.Body = counted._request;
        context.Response.Body = counted._response;
        return counted;
    }
}
