using Corral.Api.V1;
using Corral.Leap.V1;
using Google.Protobuf.Reflection;

namespace Corral.Gateway.RateLimits;

/// <summary>Which bucket a call takes from. In both dialects and natively it is the same one, where the call is the same.</summary>
internal static class RateTable
{
    private static readonly string Sandboxes = SandboxService.Descriptor.FullName;
    private static readonly string LeapSandboxes = LeapSandboxService.Descriptor.FullName;

    /// <summary>The bucket's name, and its figures.</summary>
    public static (string Bucket, RateFigures Figures) Of(MethodDescriptor method, RateLimitOptions options)
    {
        var service = method.Service.FullName;
        if (service == Sandboxes || service == LeapSandboxes || service == SharedListService.Descriptor.FullName)
        {
            return method.Name switch
            {
                "Create" or "Launch" or "CreateSandbox" => ("create", options.Create),
                "End" or "DeleteSandbox" => ("end", options.End),
                "Execute" => ("ExecService.Run", options.Exec),
                _ => ("read", options.Read),
            };
        }

        var figures = method.Service.Name switch
        {
            "ExecService" => options.Exec,
            "FileService" or "LeapFilesystemService" => options.Files,
            "UsageService" => options.Billing,
            _ => options.Other,
        };
        return ($"{method.Service.Name}.{method.Name}", figures);
    }
}
