using System.Security.Cryptography;
using Corral.Hosting;
using Corral.Sessions.Tests;
using Xunit;

[assembly: AssemblyFixture(typeof(InstanceHome))]

namespace Corral.Sessions.Tests;

/// <summary>A home for the instance that the tests make up, with a key to seal secrets.</summary>
public sealed class InstanceHome : IDisposable
{
    private readonly string _home = Directory.CreateTempSubdirectory("corral-sessions-").FullName;

    public InstanceHome()
    {
        Environment.SetEnvironmentVariable("CORRAL_HOME", _home);
        Directory.CreateDirectory(Path.GetDirectoryName(CorralPaths.SecretsKey)!);
        File.WriteAllBytes(CorralPaths.SecretsKey, RandomNumberGenerator.GetBytes(32));
    }

    public void Dispose() => Directory.Delete(_home, recursive: true);
}
