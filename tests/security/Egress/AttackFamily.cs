using System.Collections;
using System.Text.Json.Nodes;
using Corral.Security.Tests.Lab;
using Corral.Tests.Support;
using Xunit;

namespace Corral.Security.Tests.Egress;

/// <summary>Attacks that one program makes in one kind of sandbox: their names are those of its functions, with spaces.</summary>
/// <param name="name">The program, without its ending.</param>
/// <param name="create">The sandbox.</param>
internal sealed class AttackFamily(string name, Func<JsonObject> create) : IEnumerable<string>
{
    /// <summary>Where and as whom attacks are made.</summary>
    public static readonly IReadOnlyList<(string Isolation, string User)> Kinds = [("runc", "user"), ("runc", "root"), ("runsc", "user"), ("runsc", "root")];

    private readonly Dictionary<string, Attack> _attacks = new(StringComparer.Ordinal);

    public string Name => name;

    public Func<JsonObject> Create => create;

    public int Count => _attacks.Count;

    public void Add(string attack, string inside, AuditLine audit) => _attacks.Add(attack, new Attack(inside, audit));

    /// <summary>Each attack, under both runtimes, as root and as the user.</summary>
    public IEnumerable<TheoryDataRow<string, string, string>> Everywhere() =>
        from kind in Kinds
        from attack in _attacks.Keys
        select new TheoryDataRow<string, string, string>(attack, kind.Isolation, kind.User);

    /// <summary>Asserts that an attack failed: inside, in the log, and on the wire.</summary>
    public async Task AssertRefusedAsync(SecurityLab lab, string attack, string isolation, string user)
    {
        var run = await lab.RunAsync(this, isolation, user);
        var (expected, seen) = (_attacks[attack], run.Seen[attack]);
        if (!expected.Refused(seen)) Assert.Fail($"'{attack}' saw '{seen}', and should see '{expected.Inside}'. Egress refused in all: {string.Join(", ", await run.RefusalsAsync())}.");
        Assert.Empty(lab.Outside.Leaks());
        Assert.Empty(lab.Outside.Origin.Misdirected(Policies.Injected));
        Assert.DoesNotContain(Policies.Injected, seen, StringComparison.Ordinal);
        if (!expected.Audit.Exists) return;
        await Eventually.Async($"the egress log has {expected.Audit}", TimeSpan.FromSeconds(10), async () => (await run.LogAsync()).Any(expected.Audit.Is));
    }

    public IEnumerator<string> GetEnumerator() => _attacks.Keys.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
