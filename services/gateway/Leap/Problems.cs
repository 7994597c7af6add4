using Corral.Gateway.Transcoding;
using Corral.Hosting;

namespace Corral.Gateway.Leap;

/// <summary>All that is wrong with a request, by the names of its fields.</summary>
internal sealed class Problems
{
    private readonly List<FieldViolation> _found = [];

    public void Add(string field, string error) => _found.Add(new FieldViolation(field, error));

    /// <summary>A text that must be there.</summary>
    public void Require(string field, string value)
    {
        if (value.Length == 0)
        {
            Add(field, "is required");
        }
    }

    /// <summary>A number that must lie in a range.</summary>
    public void Range(string field, long value, long least, long most)
    {
        if (value < least || value > most)
        {
            Add(field, $"must be from {least} to {most}");
        }
    }

    /// <summary>One number that has two names, the newer and the older; the one that was given, in the newer one's unit.</summary>
    public long Either((string Name, bool Given, long Value) newer, (string Name, bool Given, long Value) older, long unit, long usual)
    {
        if (!older.Given)
        {
            return newer.Given ? newer.Value : usual;
        }

        // Far above every range, and far below overflow.
        var value = Math.Clamp(older.Value, int.MinValue, int.MaxValue) * unit;
        if (newer.Given && newer.Value != value)
        {
            Add(older.Name, $"must agree with {newer.Name}, which says the same");
        }

        return value;
    }

    /// <summary>Refuses the request in the other dialect's words, which tell of the first problem.</summary>
    public void CheckFirst()
    {
        if (_found is [var first, ..])
        {
            throw new RequestException($"Invalid {first.Field}: {first.Description}", fields: _found);
        }
    }

    /// <summary>Refuses the request when something was found.</summary>
    public void Check()
    {
        if (_found.Count > 0)
        {
            throw new RequestException("Invalid request", fields: _found);
        }
    }
}
