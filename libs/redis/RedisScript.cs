using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using StackExchange.Redis;

namespace Corral.Redis;

/// <summary>A Lua script, sent by its digest, and whole when Redis does not have it.</summary>
public sealed class RedisScript
{
    private readonly string _text;
    private readonly byte[] _digest;

    /// <summary>A script from its text.</summary>
    public RedisScript(string text)
    {
        _text = text;
#pragma warning disable CA5350 // Redis names scripts by SHA-1; nothing depends on its strength.
        _digest = SHA1.HashData(Encoding.UTF8.GetBytes(text));
#pragma warning restore CA5350
    }

    /// <summary>A script from embedded resources whose names end in <paramref name="names"/>, such as <c>create.lua</c>: one after the other, functions first.</summary>
    public static RedisScript Embedded(Assembly assembly, params string[] names) => new(string.Join('\n', names.Select(name => Read(assembly, name))));

    /// <summary>Runs the script, in one step for every other client.</summary>
    public Task<RedisResult> RunAsync(RedisConnection redis, RedisKey[] keys, params RedisValue[] arguments) =>
        redis.RunAsync(async database =>
        {
            try
            {
                return await database.ScriptEvaluateAsync(_digest, keys, arguments);
            }
            catch (RedisServerException exception) when (exception.Message.StartsWith("NOSCRIPT", StringComparison.Ordinal))
            {
                return await database.ScriptEvaluateAsync(_text, keys, arguments);
            }
        });

    private static string Read(Assembly assembly, string name)
    {
        var resource = assembly.GetManifestResourceNames().Single(r => r.EndsWith("." + name, StringComparison.Ordinal));
        using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!);
        return reader.ReadToEnd();
    }
}
