using Corral.Egress.Flows;

namespace Corral.Egress.Termination;

/// <summary>What the service itself answers: a reason, and nothing about the policy or the server.</summary>
internal static class RequestAnswers
{
    /// <summary>Answers a request that may not pass.</summary>
    public static Task RefuseAsync(HttpContext context, string reason)
    {
        var response = context.Response;
        var body = RefusalWords.BodyOf(reason);
        response.StatusCode = RefusalWords.StatusOf(reason);
        response.ContentType = "application/json";
        response.Headers[RefusalWords.ReasonHeader] = reason;
        response.ContentLength = body.Length;
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : response.WriteAsync(body, context.RequestAborted);
    }

    /// <summary>Answers a request whose server failed; when its answer has begun, there is nothing left to say.</summary>
    public static Task FailAsync(HttpContext context, string reason)
    {
        if (context.Response.HasStarted || context.RequestAborted.IsCancellationRequested)
        {
            return Task.CompletedTask;
        }

        context.Response.Clear();
        return RefuseAsync(context, reason);
    }
}
