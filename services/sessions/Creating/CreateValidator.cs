using System.Text;
using System.Text.RegularExpressions;
using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.Policies;
using Grpc.Core;

namespace Corral.Sessions.Creating;

/// <summary>Refuses a create that cannot be meant, in words that stay the same: callers compare them.</summary>
internal static partial class CreateValidator
{
    private const int MaxRequestIdBytes = 128;
    private const int MaxEnvEntries = 256;
    private const int MaxEnvBytes = 64 * 1024;
    private const int MaxCapabilitiesBytes = 64 * 1024;

    private static readonly string[] Runtimes = ["bun", "python", "base"];
    private static readonly string[] Isolations = ["runsc", "runc"];

    public static void Check(CreateRequest request, string plan, PlanLimits limits)
    {
        if (Encoding.UTF8.GetByteCount(request.RequestId) > MaxRequestIdBytes)
        {
            throw RpcErrors.InvalidArgument("request_id", $"must be at most {MaxRequestIdBytes} bytes");
        }

        if (request.HasRuntime && !Runtimes.Contains(request.Runtime))
        {
            throw Invalid("INVALID_RUNTIME", "Invalid runtime. Must be one of: bun, python, base", "runtime");
        }

        if (request.HasSize && request.Size != "standard")
        {
            throw Invalid("INVALID_SIZE", $"Invalid size: '{request.Size}'. Must be one of: standard", "size");
        }

        if (request.Shape is not null)
        {
            if (request.HasSize)
            {
                throw RpcErrors.InvalidArgument("shape", "must not be given together with size");
            }

            MachineShapes.Check(request.Shape);
        }

        if (request.HasIsolation && !Isolations.Contains(request.Isolation))
        {
            throw RpcErrors.InvalidArgument("isolation", "must be one of: runsc, runc");
        }

        if (request.HasRegion && !RegionPattern().IsMatch(request.Region))
        {
            throw RpcErrors.InvalidArgument("region", "must be three lower-case letters, such as iad");
        }

        CheckDuration(request, plan, limits);
        CheckEnv(request);
        CheckCapabilities(request.Capabilities, plan, limits);
    }

    private static void CheckDuration(CreateRequest request, string plan, PlanLimits limits)
    {
        if (!request.HasMaxDurationMs)
        {
            return;
        }

        if (request.MaxDurationMs <= 0)
        {
            throw Invalid("INVALID_MAX_DURATION", "Invalid maxDurationMs", "max_duration_ms");
        }

        if (request.MaxDurationMs > limits.MaxDuration.TotalMilliseconds)
        {
            var facts = new Dictionary<string, string>
            {
                ["limit"] = ((long)limits.MaxDuration.TotalMilliseconds).ToString(System.Globalization.CultureInfo.InvariantCulture),
                ["current"] = request.MaxDurationMs.ToString(System.Globalization.CultureInfo.InvariantCulture),
                ["currentPlan"] = plan,
            };
            throw RpcErrors.InvalidArgument("PLAN_LIMIT_EXCEEDED", "Invalid maxDurationMs", facts, new FieldViolation("max_duration_ms", "is above the plan's limit"));
        }
    }

    private static void CheckEnv(CreateRequest request)
    {
        if (request.Env.Count > MaxEnvEntries)
        {
            throw RpcErrors.InvalidArgument("env", $"must have at most {MaxEnvEntries} entries");
        }

        var bytes = 0;
        foreach (var (name, value) in request.Env)
        {
            if (!NamePattern().IsMatch(name))
            {
                throw RpcErrors.InvalidArgument("env", "names must match [A-Za-z_][A-Za-z0-9_]*");
            }

            if (value.Contains('\0', StringComparison.Ordinal))
            {
                throw RpcErrors.InvalidArgument("env", $"the value of {name} must not contain NUL");
            }

            bytes += name.Length + Encoding.UTF8.GetByteCount(value);
        }

        if (bytes > MaxEnvBytes)
        {
            throw RpcErrors.InvalidArgument("env", $"must be at most {MaxEnvBytes} bytes in all");
        }
    }

    private static void CheckCapabilities(Capabilities? capabilities, string plan, PlanLimits limits)
    {
        if (capabilities is null)
        {
            return;
        }

        // They are kept as they came, with what a newer client may know of them.
        if (capabilities.CalculateSize() > MaxCapabilitiesBytes)
        {
            throw RpcErrors.InvalidArgument("capabilities", $"must be at most {MaxCapabilitiesBytes} bytes in all");
        }

        CheckAgent(capabilities.Opencode, "opencode");
        CheckAgent(capabilities.Agent, "agent");
        if (capabilities.Browser is { } browser)
        {
            if (browser.HasMode && browser.Mode is not ("none" or "paired-banata-browser" or "local-chromium"))
            {
                throw RpcErrors.InvalidArgument("capabilities.browser.mode", "must be one of: none, paired-banata-browser, local-chromium");
            }

            if (browser.Mode == "paired-banata-browser" && !limits.PairedBrowser)
            {
                throw RpcErrors.PermissionDenied(
                    "PLAN_FEATURE_UNAVAILABLE",
                    "Paired browser is not available on your current plan. Upgrade to Pro or higher.",
                    new Dictionary<string, string> { ["requiredPlan"] = "pro", ["currentPlan"] = plan });
            }

            if (browser.Viewport is { } viewport && (viewport.Width is < 1 or > 8192 || viewport.Height is < 1 or > 8192))
            {
                throw RpcErrors.InvalidArgument("capabilities.browser.viewport", "width and height must be 1 to 8192");
            }

            if (browser.HasByoProxyUrl)
            {
                CheckProxy(browser.ByoProxyUrl, plan, limits);
            }
        }

        if (capabilities.Storage is { HasWorkspace: true, Workspace: not ("ephemeral" or "checkpointed") })
        {
            throw RpcErrors.InvalidArgument("capabilities.storage.workspace", "must be one of: ephemeral, checkpointed");
        }
    }

    private static void CheckProxy(string url, string plan, PlanLimits limits)
    {
        if (ProxyUrl.Check(url) is { } problem)
        {
            throw RpcErrors.InvalidArgument("capabilities.browser.byoProxyUrl", problem);
        }

        if (!limits.UpstreamProxies)
        {
            throw RpcErrors.PermissionDenied(
                "PLAN_FEATURE_UNAVAILABLE",
                "Upstream proxies are not available on your current plan. Upgrade to Pro or higher.",
                new Dictionary<string, string> { ["requiredPlan"] = "pro", ["currentPlan"] = plan });
        }
    }

    private static void CheckAgent(AgentCapability? agent, string name)
    {
        if (agent is { HasDefaultAgent: true, DefaultAgent: not ("build" or "plan") })
        {
            throw RpcErrors.InvalidArgument($"capabilities.{name}.defaultAgent", "must be one of: build, plan");
        }
    }

    private static RpcException Invalid(string reason, string message, string field) =>
        RpcErrors.InvalidArgument(reason, message, new FieldViolation(field, message));

    [GeneratedRegex("^[a-z]{3}\\z")]
    private static partial Regex RegionPattern();

    [GeneratedRegex("^[A-Za-z_][A-Za-z0-9_]*\\z")]
    private static partial Regex NamePattern();
}
