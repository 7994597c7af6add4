using System.Globalization;

namespace Corral.Guest;

/// <summary>Names of users and groups, as the sandbox's own files have them.</summary>
internal static unsafe class Owners
{
    /// <summary>What chown takes for: leave it.</summary>
    private const uint Same = uint.MaxValue;

    private static readonly Lazy<Names> Users = new(() => Names.Read("/etc/passwd"));
    private static readonly Lazy<Names> Groups = new(() => Names.Read("/etc/group"));

    public static string User(uint id) => Users.Value.Of(id);

    public static string Group(uint id) => Groups.Value.Of(id);

    /// <summary>Gives a path to a user and a group, each by name or number; null leaves it.</summary>
    public static void Change(string path, string? user, string? group)
    {
        var owner = user is null ? Same : Users.Value.Find(user) ?? throw new GuestFailure("unknown_owner", $"There is no user {user}");
        var members = group is null ? Same : Groups.Value.Find(group) ?? throw new GuestFailure("unknown_group", $"There is no group {group}");
        fixed (byte* start = FilePath.Bytes(path))
        {
            if (Libc.chown(start, owner, members) != 0)
            {
                throw GuestFailure.Of(Libc.LastError);
            }
        }
    }

    private sealed record Names(Dictionary<uint, string> ById, Dictionary<string, uint> ByName)
    {
        public static Names Read(string file)
        {
            var names = new Names([], new Dictionary<string, uint>(StringComparer.Ordinal));
            foreach (var fields in Lines(file).Select(line => line.Split(':')).Where(fields => fields.Length > 2))
            {
                if (uint.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out var id))
                {
                    names.ById.TryAdd(id, fields[0]);
                    names.ByName.TryAdd(fields[0], id);
                }
            }

            return names;
        }

        public string Of(uint id) => ById.GetValueOrDefault(id) ?? id.ToString(CultureInfo.InvariantCulture);

        public uint? Find(string text) =>
            ByName.TryGetValue(text, out var id) || (uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out id) && id != Same) ? id : null;

        private static string[] Lines(string file)
        {
            try
            {
                return File.ReadAllLines(file);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // Numbers then.
                return [];
            }
        }
    }
}
