using Corral.Api.V1;
using Corral.Hosting;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Corral.Sessions.Policies;

/// <summary>Refuses a policy that cannot be meant, naming the entry that is wrong.</summary>
internal sealed class PolicyValidator(IOptions<PolicyOptions> options)
{
    /// <summary>What answers show in place of a header's value.</summary>
    public const string Mask = "***";

    private const int MaxHeaders = 32;
    private const string Root = "network_policy";

    public void Check(NetworkPolicy policy)
    {
        if (policy.Mode is not ("allow-all" or "deny-all" or "custom"))
        {
            throw Wrong("mode", "must be one of: allow-all, deny-all, custom");
        }

        CheckCount(policy.AllowDomains.Count, options.Value.MaxDomains, "allow_domains");
        CheckCount(policy.AllowCidrs.Count, options.Value.MaxCidrs, "allow_cidrs");
        CheckCount(policy.Transforms.Count, options.Value.MaxTransforms, "transforms");
        CheckFitsMode(policy);
        for (var i = 0; i < policy.AllowDomains.Count; i++)
        {
            CheckDomain(policy.AllowDomains[i], $"allow_domains[{i}]");
        }

        for (var i = 0; i < policy.AllowCidrs.Count; i++)
        {
            if (PolicyGrammar.ParseCidr(policy.AllowCidrs[i]) is null)
            {
                throw Wrong($"allow_cidrs[{i}]", "must be an IPv4 range such as 198.51.100.0/24");
            }
        }

        var domains = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        for (var i = 0; i < policy.Transforms.Count; i++)
        {
            CheckTransform(policy.Transforms[i], $"transforms[{i}]");
            if (!domains.Add(policy.Transforms[i].Domain))
            {
                throw Wrong($"transforms[{i}].domain", "is the domain of another transform already");
            }
        }
    }

    /// <summary>The path of a header's value, as errors name it.</summary>
    public static string PathOf(int transform, string header) => $"{Root}.transforms[{transform}].inject_headers.{header}";

    private static void CheckFitsMode(NetworkPolicy policy)
    {
        if (policy.Mode != "custom" && policy.AllowDomains.Count > 0)
        {
            throw Wrong("allow_domains", "is for the mode custom only");
        }

        if (policy.Mode != "custom" && policy.AllowCidrs.Count > 0)
        {
            throw Wrong("allow_cidrs", "is for the mode custom only");
        }

        if (policy.Mode == "deny-all" && policy.Transforms.Count > 0)
        {
            throw Wrong("transforms", "cannot be in the mode deny-all");
        }
    }

    private static void CheckTransform(NetworkTransform transform, string path)
    {
        CheckDomain(transform.Domain, path + ".domain");
        CheckCount(transform.InjectHeaders.Count, MaxHeaders, path + ".inject_headers");
        CheckCount(transform.StripHeaders.Count, MaxHeaders, path + ".strip_headers");
        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, value) in transform.InjectHeaders)
        {
            CheckHeader(name, path + ".inject_headers");
            CheckValue(value, $"{path}.inject_headers.{name}");
            if (!names.Add(name))
            {
                throw Wrong(path + ".inject_headers", $"has {name} twice: names of headers have no case");
            }
        }

        for (var i = 0; i < transform.StripHeaders.Count; i++)
        {
            CheckHeader(transform.StripHeaders[i], $"{path}.strip_headers[{i}]");
        }
    }

    private static void CheckHeader(string name, string path)
    {
        if (!PolicyGrammar.IsHeaderName(name))
        {
            throw Wrong(path, "has a name that is no header's: letters, digits and !#$%&'*+-.^_`|~, at most 128");
        }

        if (PolicyGrammar.IsFraming(name))
        {
            throw Wrong(path, $"must not have {name}: it belongs to the connection, not to the request");
        }
    }

    // The value itself is in no error.
    private static void CheckValue(string value, string path)
    {
        if (value == Mask)
        {
            throw Wrong(path, "is the mask of an answer, and there is no value to keep");
        }

        if (!PolicyGrammar.IsHeaderValue(value))
        {
            throw Wrong(path, "must be 1 to 8192 bytes of visible ASCII, with spaces and tabs only in between");
        }

        if (SecretReferences.Names(value) is null)
        {
            throw Wrong(path, $"must name secrets as ${{secret:NAME}}, at most {SecretReferences.MaxReferences}");
        }
    }

    private static void CheckDomain(string domain, string path)
    {
        if (!PolicyGrammar.IsDomain(domain))
        {
            throw Wrong(path, "must be a name such as api.example.com or *.example.com");
        }
    }

    private static void CheckCount(int count, int most, string path)
    {
        if (count > most)
        {
            throw Wrong(path, $"must have at most {most} entries");
        }
    }

    private static RpcException Wrong(string path, string description) => RpcErrors.InvalidArgument($"{Root}.{path}", description);
}
