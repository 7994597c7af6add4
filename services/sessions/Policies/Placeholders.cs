using System.Security.Cryptography;
using Corral.Hosting;
using Corral.Sessions.Records;

namespace Corral.Sessions.Policies;

/// <summary>Texts that stand for secrets inside a sandbox.</summary>
internal static class Placeholders
{
    private const string Prefix = "corral-secret-";
    private const string Alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
    private const int Length = 32;

    /// <summary>The environment with a placeholder for each value that names a secret, and what they stand for. The same secret for the same host is one.</summary>
    public static (IDictionary<string, string> Env, IReadOnlyList<PlaceholderRecord> Placeholders) Bind(IDictionary<string, string> env)
    {
        if (!env.Values.Any(SecretReferences.Has))
        {
            return (env, []);
        }

        var bound = new Dictionary<string, string>(env, StringComparer.Ordinal);
        var placeholders = new Dictionary<(string, string), PlaceholderRecord>();
        foreach (var (name, value) in env.Where(entry => SecretReferences.Has(entry.Value)))
        {
            var binding = SecretReferences.Binding(value)
                ?? throw RpcErrors.InvalidArgument("env", $"the value of {name} must be exactly ${{secret:NAME@host}}, without a wildcard, to name a secret");
            if (!placeholders.TryGetValue(binding, out var placeholder))
            {
                placeholder = new PlaceholderRecord(Prefix + RandomNumberGenerator.GetString(Alphabet, Length), binding.Host, binding.Name);
                placeholders.Add(binding, placeholder);
            }

            bound[name] = placeholder.Text;
        }

        return (bound, [.. placeholders.Values]);
    }
}
