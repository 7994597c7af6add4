using Corral.Addresses;
using Corral.Egress.Dns;
using Microsoft.Extensions.Options;

namespace Corral.Egress;

/// <summary>Refuses addresses and ranges that cannot be read, before the service listens.</summary>
internal sealed class EgressOptionsValidator : IValidateOptions<EgressOptions>
{
    public ValidateOptionsResult Validate(string? name, EgressOptions options)
    {
        var wrong = options.Resolvers.Where(text => !ResolverAddresses.TryParse(text, out _)).Select(text => $"Egress:Resolvers: '{text}' is no address.")
            .Concat(options.PermittedRanges.Where(text => !AddressRange.TryParse(text, out _)).Select(text => $"Egress:PermittedRanges: '{text}' is no range."))
            .ToList();
        return wrong.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(wrong);
    }
}
