using System.Text.Json;
using Corral.Api.V1;
using Corral.Security.Tests.Lab;

namespace Corral.Security.Tests.Egress;

/// <summary>What a family's program saw, and what the egress log has of it.</summary>
internal sealed class AttackRun
{
    private readonly SecurityLab _lab;
    private readonly string _sandbox;

    private AttackRun(SecurityLab lab, string sandbox, IReadOnlyDictionary<string, string> seen) => (_lab, _sandbox, Seen) = (lab, sandbox, seen);

    /// <summary>What the attacker saw, by attack.</summary>
    public IReadOnlyDictionary<string, string> Seen { get; }

    public static async Task<AttackRun> StartAsync(SecurityLab lab, AttackFamily family, string isolation, string user)
    {
        var create = family.Create();
        (create["runtime"], create["isolation"]) = ("python", isolation);
        var sandbox = await lab.Boxes.ReadyAsync(create);
        var program = SecurityLab.Program("attack.py") + SecurityLab.Program(family.Name + ".py") + "\nattack_all()\n";
        var printed = await lab.PythonAsync(sandbox, user, program);
        var seen = JsonSerializer.Deserialize<Dictionary<string, string>>(printed)!;
        var differing = seen.Keys.ToHashSet();
        differing.SymmetricExceptWith(family);
        return differing.Count == 0
            ? new AttackRun(lab, sandbox, seen)
            : throw new InvalidOperationException($"{family.Name}.py and its expectations differ in: {string.Join(", ", differing)}.");
    }

    public Task<IReadOnlyList<EgressRecord>> LogAsync() => _lab.LogAsync(_sandbox);

    /// <summary>Why anything of it was refused, and how often.</summary>
    public async Task<IEnumerable<string>> RefusalsAsync() =>
        from record in await LogAsync()
        where record.Reason.Length > 0
        group record by $"{record.Kind} {record.Reason}" into same
        select $"{same.Key} × {same.Count()}";
}
