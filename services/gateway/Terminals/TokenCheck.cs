using Corral.Gateway.Routing;
using Corral.Gateway.Security;
using Corral.Hosting;
using Corral.Node.V1;
using Grpc.Core;

namespace Corral.Gateway.Terminals;

/// <summary>Finds out for whom somebody comes with a terminal's token: the holder of the key with which it was asked for, as long as that key is good.</summary>
/// <remarks>
/// What a token says is a claim until the node that runs the sandbox has proved it. One that was made up must cost the organisation that it names
/// nothing: until the proof, nothing is taken of anybody's, nothing in the sandbox is touched, and all failures answer the same, but that of a
/// node that does not answer. It costs us what an unknown API key costs, a look-up in sessions; if it names a key that is good, another for the
/// sandbox, and if that is there, the node one digest.
/// </remarks>
internal sealed class TokenCheck(Authenticator authenticator, SandboxLocator locator, ChannelPool channels, TimeProvider clock)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>The caller; null when the token opens nothing now.</summary>
    public async ValueTask<Caller?> FindCallerAsync(TerminalAsked asked, string requestId) =>
        asked.Token.Split('~') is [var organization, var key, ..] && IsName(organization) && IsName(key)
        && await authenticator.FindHolderAsync(organization, key, requestId) is { } caller
        && await IsTrueAsync(asked, caller.Identity)
            ? caller
            : null;

    private async Task<bool> IsTrueAsync(TerminalAsked asked, CallerIdentity claimed)
    {
        try
        {
            var node = new NodeService.NodeServiceClient(channels.Get(await locator.FindAsync(claimed, asked.SandboxId)));
            var request = new CheckTerminalTokenRequest { SandboxId = asked.SandboxId, Terminal = asked.View.Terminal, Token = asked.Token };
            await node.CheckTerminalTokenAsync(request, claimed.ToMetadata(), clock.GetUtcNow().UtcDateTime + Patience);
            return true;
        }
        catch (RpcException failure) when (failure.StatusCode is StatusCode.Unauthenticated or StatusCode.NotFound or StatusCode.FailedPrecondition or StatusCode.InvalidArgument)
        {
            locator.Forget(claimed, asked.SandboxId);
            return false;
        }
    }

    private static bool IsName(string text) => text.Length is > 0 and <= 64 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');
}
