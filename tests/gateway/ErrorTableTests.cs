using System.Text;
using System.Text.RegularExpressions;
using Corral.Api.V1;
using Corral.Gateway.Errors;
using Corral.Hosting;
using Grpc.Core;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>The one table of errors, as HTTP callers see it.</summary>
public sealed partial class ErrorTableTests
{
    private const string Secret = "/var/lib/corral/run/sessions.sock";

    // Every reason that a service gives, and none.
    private static readonly string[] Reasons =
    [
        "", "INVALID_ARGUMENT", "INTERNAL", "INVALID_API_KEY", "PERMISSION_DENIED", "INVALID_RUNTIME", "INVALID_SIZE", "INVALID_MAX_DURATION", "PLAN_LIMIT_EXCEEDED",
        "PLAN_FEATURE_UNAVAILABLE", "CONCURRENT_SANDBOX_LIMIT", "MONTHLY_HOURS_LIMIT", "IDEMPOTENCY_CONFLICT", "SANDBOX_NOT_FOUND", "SANDBOX_NOT_READY", "START_FAILED",
        "NOT_READY_IN_TIME", "STATE_STORE_UNAVAILABLE", "UPSTREAM_UNAVAILABLE", "STOPPING", "NO_SUCH_METHOD", "FILE_NOT_FOUND", "FILE_EXISTS", "IS_DIRECTORY", "NOT_DIRECTORY", "NOT_EMPTY",
        "FILE_PERMISSION_DENIED", "FILE_TOO_LARGE", "NO_SPACE", "NOT_UTF8", "COMMAND_LOST", "OPERATION_FAILED", "NODE_STOPPING", "TOO_MANY_DIRECTORIES",
        "SANDBOX_ENDED", "POLICY_VERSION_MISMATCH", "POLICY_NOT_IN_FORCE", "EGRESS_UNAVAILABLE", "SECRET_NOT_FOUND", "SECRET_LIMIT",
        "COMMAND_NOT_FOUND", "COMMAND_EXISTS", "TOO_MANY_COMMANDS", "TOO_MANY_VIEWERS", "INVALID_TERMINAL_TOKEN",
        "WEBHOOK_NOT_FOUND", "WEBHOOK_LIMIT", "WEBHOOK_DISABLED", "DELIVERY_NOT_FOUND", "NODE_NOT_FOUND",
        "WAITING_SANDBOX_LIMIT", "RATE_LIMIT_EXCEEDED", "API_KEY_NOT_FOUND", "API_KEY_REVOKED", "API_KEY_LIMIT", "OPERATOR_KEY", "ORGANIZATION_NOT_FOUND",
        "SANDBOX_NEVER_RAN", "NODE_UNAVAILABLE", "TOO_MUCH_AT_ONCE",
    ];

    [Fact]
    public void EveryCodeWithEveryReason_AnswersWhatStandsInTheTable()
    {
        var table = new StringBuilder();
        foreach (var code in Enum.GetValues<StatusCode>())
        {
            foreach (var reason in Reasons)
            {
                var error = ErrorTable.From(Info(code, reason));
                table.Append($"{code} {(reason.Length == 0 ? "-" : reason)}: {error.Status} retry {error.RetryAfter?.TotalSeconds.ToString() ?? "-"} ")
                    .Append(Encoding.UTF8.GetString(ErrorBody.Render("/v1/sandboxes", error))).Append(' ')
                    .Append(Encoding.UTF8.GetString(ErrorBody.Render("/v1/sandbox/x", error))).Append('\n');
            }
        }

        var golden = Path.Combine(AppContext.BaseDirectory, "errors.golden");
        if (Environment.GetEnvironmentVariable("CORRAL_WRITE_GOLDEN") is { Length: > 0 } target)
        {
            File.WriteAllText(target, table.ToString());
        }

        Assert.Equal(File.ReadAllText(golden), table.ToString());
    }

    [Theory]
    [InlineData(StatusCode.InvalidArgument, "INVALID_RUNTIME", 400)]
    [InlineData(StatusCode.Unauthenticated, "INVALID_API_KEY", 401)]
    [InlineData(StatusCode.PermissionDenied, "PLAN_FEATURE_UNAVAILABLE", 403)]
    [InlineData(StatusCode.NotFound, "SANDBOX_NOT_FOUND", 404)]
    [InlineData(StatusCode.FailedPrecondition, "SANDBOX_NOT_READY", 409)]
    [InlineData(StatusCode.FailedPrecondition, "IDEMPOTENCY_CONFLICT", 422)]
    [InlineData(StatusCode.FailedPrecondition, "FILE_TOO_LARGE", 413)]
    [InlineData(StatusCode.ResourceExhausted, "CONCURRENT_SANDBOX_LIMIT", 429)]
    [InlineData(StatusCode.ResourceExhausted, "MONTHLY_HOURS_LIMIT", 429)]
    [InlineData(StatusCode.ResourceExhausted, "WAITING_SANDBOX_LIMIT", 429)]
    [InlineData(StatusCode.ResourceExhausted, "RATE_LIMIT_EXCEEDED", 429)]
    [InlineData(StatusCode.NotFound, "API_KEY_NOT_FOUND", 404)]
    [InlineData(StatusCode.NotFound, "ORGANIZATION_NOT_FOUND", 404)]
    [InlineData(StatusCode.FailedPrecondition, "API_KEY_REVOKED", 409)]
    [InlineData(StatusCode.ResourceExhausted, "NO_SPACE", 507)]
    [InlineData(StatusCode.Unavailable, "STATE_STORE_UNAVAILABLE", 503)]
    [InlineData(StatusCode.FailedPrecondition, "SANDBOX_ENDED", 409)]
    [InlineData(StatusCode.Aborted, "POLICY_VERSION_MISMATCH", 409)]
    [InlineData(StatusCode.Unavailable, "POLICY_NOT_IN_FORCE", 503)]
    [InlineData(StatusCode.NotFound, "SECRET_NOT_FOUND", 404)]
    [InlineData(StatusCode.DeadlineExceeded, "NOT_READY_IN_TIME", 504)]
    [InlineData(StatusCode.Internal, "START_FAILED", 500)]
    public void ADocumentedError_HasItsStatus(StatusCode code, string reason, int status) => Assert.Equal(status, ErrorTable.From(Info(code, reason)).Status);

    [Fact]
    public void WhatNoServiceOfOursSaid_AndWhatWasOurFault_IsNotTold()
    {
        var facts = new Dictionary<string, string> { ["where"] = Secret };
        foreach (var code in Enum.GetValues<StatusCode>())
        {
            foreach (var reason in Reasons)
            {
                var error = ErrorTable.From(new RpcErrorInfo(code, reason, $"Connecting to {Secret} failed", reason.Length == 0 ? new Dictionary<string, string>() : facts, [], null));
                if (reason.Length == 0 || error.Status == 500)
                {
                    Assert.DoesNotContain(Secret, Encoding.UTF8.GetString(ErrorBody.Render("/v1/sandboxes", error)), StringComparison.Ordinal);
                    Assert.DoesNotContain(Secret, Encoding.UTF8.GetString(ErrorBody.Render("/v1/sandbox/x", error)), StringComparison.Ordinal);
                }
            }
        }
    }

    [Fact]
    public void AWrongField_IsNamedAsTheDialectNamesIt()
    {
        Assert.Equal("Invalid maxDurationMs: must be above 0", Message(RpcErrors.InvalidArgument("max_duration_ms", "must be above 0")));
        Assert.Equal("Invalid timeout: must be above 0", ErrorTable.From(RpcErrors.InvalidArgument("timeout_ms", "must be above 0"), RunRequest.Descriptor).Message);
        Assert.Equal("Invalid maxDurationMs: no", ErrorTable.From(RpcErrors.InvalidArgument("max_duration_ms", "no"), LaunchRequest.Descriptor).Message);
        Assert.Equal("Invalid capabilities.browser.mode: no", Message(RpcErrors.InvalidArgument("capabilities.browser.mode", "no")));
        Assert.Equal("Invalid networkPolicy.allow_domains[0]: no", Message(RpcErrors.InvalidArgument("network_policy.allow_domains[0]", "no")));
        Assert.Equal("Invalid allow_domains[0]: no", ErrorTable.From(RpcErrors.InvalidArgument("network_policy.allow_domains[0]", "no"), UpdateNetworkPolicyRequest.Descriptor).Message);
        static string Message(RpcException exception) => ErrorTable.From(exception, CreateRequest.Descriptor).Message;
    }

    [Fact]
    public void AFact_NeverTakesThePlaceOfTheError()
    {
        var facts = new Dictionary<string, string> { ["error"] = "x", ["code"] = "y", ["limit"] = "3", ["currentPlan"] = "free" };

        var body = Encoding.UTF8.GetString(ErrorBody.Render("/v1/sandboxes", ErrorTable.From(RpcErrors.ResourceExhausted("LIMIT", "No more.", facts))));

        Assert.Equal("{\"error\":\"No more.\",\"code\":\"LIMIT\",\"limit\":3,\"currentPlan\":\"free\"}", body);
    }

    [Fact]
    public void EveryReasonThatCallersCanMeet_StandsInTheTable()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root!.FullName, "Corral.slnx")))
        {
            root = root.Parent;
        }

        // What sessions and the node's public services say; the internal ones' reasons end at sessions.
        string[] folders = ["services/sessions", "services/gateway", "services/node-agent/Grpc", "libs/hosting", "libs/redis"];
        var reasons = folders.SelectMany(f => Directory.EnumerateFiles(Path.Combine(root.FullName, f), "*.cs", SearchOption.AllDirectories))
            .Where(f => !f.EndsWith("NodeGrpcService.cs", StringComparison.Ordinal))
            .SelectMany(f => GivenReason().Matches(File.ReadAllText(f))).Select(m => m.Groups[1].Value).Distinct();

        Assert.Empty(reasons.Except(Reasons).Except(["SERVICE_UNKNOWN"]));
    }

    private static RpcErrorInfo Info(StatusCode code, string reason) => new(
        code, reason, "What happened.", new Dictionary<string, string> { ["limit"] = "3", ["currentPlan"] = "free" }, [new FieldViolation("max_duration_ms", "is too long")], null);

    [GeneratedRegex("(?:RpcErrors\\.\\w+|Invalid|Refusal|: DependencyUnavailableException)\\(\\s*\"([A-Z][A-Z0-9_]+)\"")]
    private static partial Regex GivenReason();
}
