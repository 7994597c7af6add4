using System.Collections.Immutable;
using System.Text;
using Corral.Egress.Policies;
using Microsoft.Extensions.Primitives;

namespace Corral.Egress.Termination;

/// <summary>Replaces placeholders in the values of headers, and in the user and password of Basic authorization, where they are encoded.</summary>
internal static class PlaceholderText
{
    private const string Beginning = "corral-secret-";
    private const string Authorization = "Authorization";
    private const string Basic = "Basic ";

    /// <summary>Replaces what stands for a secret of this name, and tells which were. What stands for another's is left as it is: inert.</summary>
    public static void Replace(IHeaderDictionary headers, ImmutableArray<SecretPlaceholder> placeholders, Action<SecretPlaceholder> used)
    {
        List<KeyValuePair<string, StringValues>>? changed = null;
        foreach (var (name, values) in headers)
        {
            string?[]? copy = null;
            for (var i = 0; i < values.Count; i++)
            {
                if (Replace(name, values[i]!, placeholders, used) is { } replaced)
                {
                    (copy ??= values.ToArray())[i] = replaced;
                }
            }

            if (copy is not null)
            {
                (changed ??= []).Add(new(name, copy));
            }
        }

        foreach (var (name, values) in changed ?? [])
        {
            headers[name] = values;
        }
    }

    /// <summary>Whether one of them stands where it would be replaced.</summary>
    public static bool Stands(IHeaderDictionary headers, ImmutableArray<SecretPlaceholder> placeholders) =>
        headers.Any(header => header.Value.Any(value => Replace(header.Key, value!, placeholders, static _ => { }) is not null));

    private static string? Replace(string header, string value, ImmutableArray<SecretPlaceholder> placeholders, Action<SecretPlaceholder> used)
    {
        if (value.Contains(Beginning, StringComparison.Ordinal))
        {
            return ReplaceAll(value, placeholders, used);
        }

        if (!header.Equals(Authorization, StringComparison.OrdinalIgnoreCase) || !value.StartsWith(Basic, StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var bytes = new byte[value.Length];
        if (!Convert.TryFromBase64String(value[Basic.Length..].Trim(), bytes, out var length))
        {
            return null;
        }

        // Latin-1 keeps every byte that it does not understand.
        var userAndPassword = Encoding.Latin1.GetString(bytes, 0, length);
        return userAndPassword.Contains(Beginning, StringComparison.Ordinal) && ReplaceAll(userAndPassword, placeholders, used) is { } replaced
            ? Basic + Convert.ToBase64String(Encoding.Latin1.GetBytes(replaced))
            : null;
    }

    // In one pass: what a secret's own text looks like is not looked at.
    private static string? ReplaceAll(string text, ImmutableArray<SecretPlaceholder> placeholders, Action<SecretPlaceholder> used)
    {
        StringBuilder? result = null;
        var copied = 0;
        for (var at = text.IndexOf(Beginning, StringComparison.Ordinal); at >= 0; at = text.IndexOf(Beginning, Math.Max(copied, at + 1), StringComparison.Ordinal))
        {
            foreach (var placeholder in placeholders)
            {
                if (text.AsSpan(at).StartsWith(placeholder.Text, StringComparison.Ordinal))
                {
                    (result ??= new StringBuilder()).Append(text, copied, at - copied).Append(placeholder.Value);
                    copied = at + placeholder.Text.Length;
                    used(placeholder);
                    break;
                }
            }
        }

        return result?.Append(text, copied, text.Length - copied).ToString();
    }
}
