namespace Corral.Egress.Termination;

/// <summary>What the service itself answers: a reason, and nothing about the policy or the server.</summary>
internal static class RequestAnswers
{
    private const string ReasonHeader = "x-egress-reason";

    /// <summary>Answers a request that may not pass.</summary>
    public static Task RefuseAsync(HttpContext context, int status, string reason) =>
        AnswerAsync(context, status, reason, "The sandbox's network policy does not let this request through.");

    /// <summary>Answers a request whose server failed; when its answer has begun, there is nothing left to say.</summary>
    public static Task FailAsync(HttpContext context, UpstreamFailure failure)
    {
        if (context.Response.HasStarted || context.RequestAborted.IsCancellationRequested)
        {
            return Task.CompletedTask;
        }

        context.Response.Clear();
        return failure.Allowed
            ? AnswerAsync(context, failure.Status, failure.Reason, "The server did not answer this request.")
            : RefuseAsync(context, failure.Status, failure.Reason);
    }

    private static Task AnswerAsync(HttpContext context, int status, string reason, string text)
    {
        var response = context.Response;
        response.StatusCode = status;
        response.ContentType = "application/json";
        response.Headers[ReasonHeader] = reason;
        var body = $$"""{"code":"{{reason}}","error":"{{text}}"}""" + "\n";
        response.ContentLength = body.Length;
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : response.WriteAsync(body, context.RequestAborted);
    }
}
