using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Corral.GuestLink;
using Xunit;

namespace Corral.Guest.Tests;

/// <summary>The certificate that a sandbox is given to trust.</summary>
public sealed class TrustTests : IAsyncLifetime
{
    private const string Bundle = "/etc/ssl/certs/ca-certificates.crt";
    private static readonly CancellationToken None = CancellationToken.None;
    private GuestBox? _box;

    private GuestBox Box => _box!;

    public async ValueTask InitializeAsync() => _box = await GuestBox.StartAsync();

    public ValueTask DisposeAsync() => _box?.DisposeAsync() ?? ValueTask.CompletedTask;

    [Fact]
    public async Task A_certificate_is_trusted_wherever_programs_look()
    {
        var before = Read(Bundle);
        var pem = Certificate("one");
        await Box.Client.InstallTrustAsync(pem, None);
        Assert.Equal(before + pem, Read(Bundle));
        Assert.Equal(pem, Read("/usr/local/share/ca-certificates/corral.crt"));
        // As update-ca-certificates makes it: what fills Java's store looks for links to there, and for nothing else.
        Assert.Equal("/usr/local/share/ca-certificates/corral.crt", new FileInfo(Box.Outside("/etc/ssl/certs/corral.pem")).LinkTarget);
        using var policy = JsonDocument.Parse(Read("/etc/chromium/policies/managed/corral.json"));
        using var certificate = X509Certificate2.CreateFromPem(pem);
        Assert.Equal(Convert.ToBase64String(certificate.RawData), policy.RootElement.GetProperty("CACertificates")[0].GetString());
        Assert.Equal("644 0 644 0\n", (await Box.ShAsync("echo $(stat -c '%a %u' -L /etc/ssl/certs/corral.pem /etc/ssl/certs/ca-certificates.crt)", root: true)).Out);
        Assert.Equal("/etc/ssl/certs/corral.pem: OK\n", (await Box.ShAsync($"openssl verify -CAfile {Bundle} /etc/ssl/certs/corral.pem")).Out);
    }

    [Fact]
    public async Task Doing_it_again_changes_nothing_and_another_takes_the_place_of_the_first()
    {
        var before = Read(Bundle);
        var (one, two) = (Certificate("one"), Certificate("two"));
        await Box.Client.InstallTrustAsync(one, None);
        var written = File.GetLastWriteTimeUtc(Box.Outside(Bundle));
        await Box.Client.InstallTrustAsync(one, None);
        Assert.Equal((before + one, written), (Read(Bundle), File.GetLastWriteTimeUtc(Box.Outside(Bundle))));
        await Box.Client.InstallTrustAsync(two, None);
        Assert.Equal(before + two, Read(Bundle));
        Assert.Equal(two, Read("/usr/local/share/ca-certificates/corral.crt"));
        // As update-ca-certificates leaves it: ours in the middle.
        await File.WriteAllTextAsync(Box.Outside(Bundle), two + before);
        await Box.Client.InstallTrustAsync(one, None);
        Assert.Equal(before + one, Read(Bundle));
    }

    [Fact]
    public async Task Interrupted_it_is_put_right_by_the_next()
    {
        var before = Read(Bundle);
        var (one, two, three) = (Certificate("one"), Certificate("two"), Certificate("three"));
        await Box.Client.InstallTrustAsync(one, None);
        // The second got as far as the bundle.
        await File.WriteAllTextAsync(Box.Outside("/usr/local/share/ca-certificates/corral.crt"), two);
        await File.WriteAllTextAsync(Box.Outside(Bundle), before + two);
        await Box.Client.InstallTrustAsync(three, None);
        Assert.Equal(before + three, Read(Bundle));
    }

    [Fact]
    public async Task Where_there_is_no_bundle_one_is_made()
    {
        await Box.ShAsync("rm -rf /etc/ssl /usr/local/share/ca-certificates", root: true);
        var pem = Certificate("one");
        await Box.Client.InstallTrustAsync(pem, None);
        Assert.Equal(pem, Read(Bundle));
    }

    [Fact]
    public async Task What_stands_in_the_way_inside_does_not_hold_the_guest()
    {
        await Box.ShAsync($"rm {Bundle}; mkfifo {Bundle}; mkfifo /etc/ssl/certs/corral.pem; truncate -s 100G /usr/local/share/ca-certificates/corral.crt", root: true);
        // Where one text ends, the other has begun.
        await Box.ShAsync("mkdir -p /etc/chromium/policies/managed; echo '{\"CACertificates\":[\"]}' > /etc/chromium/policies/managed/corral.json", root: true);
        var pem = Certificate("one");
        await Box.Client.InstallTrustAsync(pem, None).WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(pem, Read(Bundle));
    }

    [Fact]
    public async Task What_is_put_in_the_way_at_that_moment_does_not_hold_the_guest_either()
    {
        const string Pipes = "perl -MPOSIX -e '$| = 1; print \"ready\"; while (1) { mkfifo(\"/etc/ssl/certs/corral.pem.corral-new\", 0600) }'";
        await using var pipes = await Box.Client.ExecAsync(Running.Shell(Pipes) with { Root = true }, None);
        await pipes.UntilAsync("ready");
        foreach (var pem in Enumerable.Range(0, 50).Select(i => Certificate($"number {i}")))
        {
            try
            {
                await Box.Client.InstallTrustAsync(pem, None).WaitAsync(TimeSpan.FromSeconds(20));
            }
            catch (GuestException problem)
            {
                Assert.Equal("other", problem.Code);
            }
        }
    }

    [Fact]
    public async Task Anything_but_one_certificate_is_refused_and_nothing_is_written()
    {
        var before = Read(Bundle);
        var pem = Certificate("one");
        foreach (var wrong in (string[])["", "certificate", pem + pem, pem[..^40], pem.Replace("M", "!", StringComparison.Ordinal), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
        {
            Assert.Equal("other", await Running.CodeAsync(() => Box.Client.InstallTrustAsync(wrong, None)));
        }

        Assert.Equal(before, Read(Bundle));
        Assert.Null(new FileInfo(Box.Outside("/etc/ssl/certs/corral.pem")).LinkTarget);
        // What stands around it is not carried over.
        await Box.Client.InstallTrustAsync("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" + pem + "more", None);
        Assert.Equal(before + pem, Read(Bundle));
    }

    [Fact]
    public async Task It_takes_a_couple_of_milliseconds()
    {
        const int Rounds = 50;
        await Box.Client.InstallTrustAsync(Certificate("first"), None);
        var pems = Enumerable.Range(0, Rounds).Select(i => Certificate($"number {i}")).ToList();
        var times = new List<double>();
        var before = Box.ProcessorTime();
        foreach (var pem in pems)
        {
            var clock = Stopwatch.StartNew();
            await Box.Client.InstallTrustAsync(pem, None);
            times.Add(clock.Elapsed.TotalMilliseconds);
        }

        // Of the processor, which does not depend on what else the machine is doing.
        var each = (Box.ProcessorTime() - before) / Rounds;
        Console.WriteLine($"install trust: {each.TotalMilliseconds:0.0} ms of the processor, p50 {times.Order().ElementAt(Rounds / 2):0.0} ms in all");
        Assert.InRange(each, TimeSpan.Zero, TimeSpan.FromMilliseconds(5));
    }

    private string Read(string path) => File.Exists(Box.Outside(path)) ? File.ReadAllText(Box.Outside(path)) : "";

    private static string Certificate(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN=Corral {name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return certificate.ExportCertificatePem() + "\n";
    }
}
