using Corral.Api.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corral.Tests.Instance;

/// <summary>Works in sandboxes as a client of the native API would.</summary>
public sealed class NativeClient(GrpcChannel channel, Metadata credentials)
{
    private const int Page = 1000;
    private readonly ExecService.ExecServiceClient _execs = new(channel);
    private readonly EgressLogService.EgressLogServiceClient _egress = new(channel);

    private static DateTime Deadline => DateTime.UtcNow.AddMinutes(2);

    /// <summary>Runs a command to its end.</summary>
    public async Task<RunResponse> RunAsync(RunRequest request) => await _execs.RunAsync(request, credentials, Deadline);

    /// <summary>The egress log of a sandbox.</summary>
    public async Task<IReadOnlyList<EgressRecord>> EgressLogAsync(string sandbox)
    {
        var all = new List<EgressRecord>();
        while (true)
        {
            var page = await _egress.ListEgressAsync(
                new ListEgressRequest { SandboxId = sandbox, After = all.LastOrDefault()?.Sequence ?? 0, Limit = Page }, credentials, Deadline);
            all.AddRange(page.Items);
            if (page.Items.Count < Page) return all;
        }
    }
}
