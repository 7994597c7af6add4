namespace Corral.Egress.Policies;

/// <summary>Finds the most specific of many patterns that a name matches, in as many steps as it has labels.</summary>
internal sealed class NameIndex<T>
    where T : class
{
    private readonly Dictionary<string, T>.AlternateLookup<ReadOnlySpan<char>> _exact = NewTable();
    private readonly Dictionary<string, T>.AlternateLookup<ReadOnlySpan<char>> _below = NewTable();

    /// <summary>Adds a pattern; false when it is there already.</summary>
    public bool TryAdd(DomainPattern pattern, T value) => (pattern.IsWildcard ? _below : _exact).TryAdd(pattern.Name, value);

    public T? Find(string name)
    {
        if (_exact.TryGetValue(name, out var found)) return found;
        for (var dot = name.IndexOf('.', StringComparison.Ordinal); dot >= 0; dot = name.IndexOf('.', dot + 1))
        {
            if (_below.TryGetValue(name.AsSpan(dot + 1), out found)) return found;
        }

        return null;
    }

    private static Dictionary<string, T>.AlternateLookup<ReadOnlySpan<char>> NewTable() =>
        new Dictionary<string, T>(StringComparer.Ordinal).GetAlternateLookup<ReadOnlySpan<char>>();
}
