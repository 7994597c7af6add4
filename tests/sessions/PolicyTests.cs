using Corral.Api.V1;
using Corral.Egress.V1;
using Corral.Hosting;
using Corral.Sessions.Grpc;
using Corral.Sessions.Records;
using Corral.Sessions.V1;
using Corral.Tests.Support;
using Google.Protobuf;
using Grpc.Core;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>What may leave a sandbox: told to its node from the start, changed while it lives, and repaired after whatever dies.</summary>
public sealed class PolicyTests : SessionsTest
{
    private const string Value = "hunter2-never-to-be-seen";

    [Fact]
    public async Task WithoutAPolicy_EverythingPublicIsInForceFromTheStart()
    {
        var ready = await ReadyAsync(new CreateRequest());

        Assert.Equal((PolicyMode.AllowAll, 1L), (Told(ready).Mode, Told(ready).Version));
        Assert.Equal((1L, 1L), (ready.Policy!.Version, ready.Policy.InForce));
        Assert.Equal("allow-all", ready.ToSandbox().NetworkPolicy.Mode);
        Assert.Equal(0, Fleet.Calls.Count("policy"));
    }

    [Fact]
    public async Task AHeadersValue_ReachesTheNode_AndIsNowhereElse()
    {
        var ready = await ReadyAsync(Injecting("X-Key", Value));

        var header = Told(ready).Transforms.Single().InjectHeaders.Single();
        Assert.Equal(("X-Key", Value), (header.Name, header.Value));
        Assert.Equal("***", ready.ToSandbox().NetworkPolicy.Transforms.Single().InjectHeaders["X-Key"]);
        Assert.DoesNotContain(Value, await AllOfRedisAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatIsNotKnownOfAPolicy_IsNotKept()
    {
        var padded = new NetworkPolicy { Mode = "deny-all" };
        padded.MergeFrom([0xA2, 0x1F, 0x04, .. "hush"u8]);

        var ready = await ReadyAsync(new CreateRequest { NetworkPolicy = padded });

        Assert.Equal(new NetworkPolicy { Mode = "deny-all" }, NetworkPolicy.Parser.ParseFrom(ready.Policy!.Public));
        Assert.DoesNotContain("hush", System.Text.Encoding.Latin1.GetString(ready.Policy.Public), StringComparison.Ordinal);
    }

    [Fact]
    public async Task APolicy_IsToldInOneForm()
    {
        var ready = await ReadyAsync(new CreateRequest
        {
            NetworkPolicy = new NetworkPolicy { Mode = "custom", AllowDomains = { "*.Example.COM" }, AllowCidrs = { "192.0.2.9/24", "198.51.100.1" } },
        });

        Assert.Equal((PolicyMode.Custom, "*.example.com", "192.0.2.0/24,198.51.100.1/32"),
            (Told(ready).Mode, Told(ready).AllowDomains.Single(), string.Join(',', Told(ready).AllowCidrs)));
    }

    [Fact]
    public async Task AChangedPolicy_IsInForceWhenItIsAnswered()
    {
        var ready = await ReadyAsync(new CreateRequest());

        var changed = await One.Policies.ReplaceAsync("org", ready.Id, new NetworkPolicy { Mode = "deny-all" }, version: 1);
        Assert.True(await One.Policies.WaitAsync("org", ready.Id, 2, TestContext.Current.CancellationToken));

        Assert.Equal((PolicyMode.DenyAll, 2L), (Told(ready).Mode, Told(ready).Version));
        Assert.Equal(2, changed.Policy!.Version);
    }

    [Fact]
    public async Task AChangedPolicy_IsInForce_ThoughTheSchedulerIsAway()
    {
        Fleet.Calls.Before = name => name == "confirm" ? throw new RpcException(new Status(StatusCode.Unavailable, "Away.")) : Task.CompletedTask;
        var ready = await ReadyAsync(new CreateRequest());

        await One.Policies.ReplaceAsync("org", ready.Id, new NetworkPolicy { Mode = "deny-all" }, version: 1);

        Assert.True(await One.Policies.WaitAsync("org", ready.Id, 2, TestContext.Current.CancellationToken));
        Assert.Equal((PolicyMode.DenyAll, 2L), (Told(ready).Mode, Told(ready).Version));
    }

    [Fact]
    public async Task AMaskedValue_KeepsTheOneThatWasThere()
    {
        var ready = await ReadyAsync(Injecting("X-Key", Value));
        var answered = ready.ToSandbox().NetworkPolicy;
        answered.Transforms[0].InjectHeaders["X-Other"] = "new";

        await ReplaceAsync(ready.Id, answered);

        Assert.Equal([("X-Key", Value), ("X-Other", "new")], Told(ready).Transforms.Single().InjectHeaders.Select(h => (h.Name, h.Value)).Order());
        answered.Transforms[0].InjectHeaders["X-Third"] = "***";
        Assert.Equal("network_policy.transforms[0].inject_headers.X-Third", (await RefusedAsync(ready.Id, answered)).Violations[0].Field);
    }

    [Fact]
    public async Task WhoeverSawAnotherVersion_ChangesNothing()
    {
        var ready = await ReadyAsync(new CreateRequest());
        await ReplaceAsync(ready.Id, new NetworkPolicy { Mode = "deny-all" });

        Assert.Equal("POLICY_VERSION_MISMATCH", (await RefusedAsync(ready.Id, new NetworkPolicy { Mode = "allow-all" }, version: 1)).Reason);
        Assert.Equal(PolicyMode.DenyAll, Told(ready).Mode);
    }

    [Fact]
    public async Task AnEndedSandbox_TakesNoPolicy_AndKeepsNoSecret()
    {
        var ready = await ReadyAsync(Injecting("X-Key", Value));
        await One.Ender.EndAsync("org", ready.Id, "client");
        var ended = await One.UntilAsync(ready.Id, SandboxState.Ended);

        Assert.Equal("SANDBOX_ENDED", (await RefusedAsync(ready.Id, new NetworkPolicy { Mode = "deny-all" })).Reason);
        Assert.Null(ended.Policy!.Sealed);
        Assert.Equal("***", ended.ToSandbox().NetworkPolicy.Transforms[0].InjectHeaders["X-Key"]);
    }

    [Fact]
    public async Task AChangeWhileItStarts_IsInForceBeforeItIsReady()
    {
        Fleet.Calls.After = async name =>
        {
            if (name == "start")
            {
                Fleet.Calls.After = _ => Task.CompletedTask;
                var id = Fleet.Nodes[0].Running.Keys.Single();
                await One.Policies.ReplaceAsync("org", id, new NetworkPolicy { Mode = "deny-all" }, null);
                Assert.True(await One.Policies.WaitAsync("org", id, 2, CancellationToken.None));
            }
        };

        var ready = await ReadyAsync(new CreateRequest());

        Assert.Equal((PolicyMode.DenyAll, 2L, 2L), (Told(ready).Mode, ready.Policy!.Version, ready.Policy.InForce));
    }

    [Fact]
    public async Task AHostThatIsAway_IsToldWhenItIsBack_AndTheCallerLearnsThatItIsNotYet()
    {
        var ready = await ReadyAsync(new CreateRequest());
        Fleet.Calls.Before = name => name == "policy" ? throw RpcErrors.Unavailable("EGRESS_UNAVAILABLE", "Away.", TimeSpan.FromSeconds(1)) : Task.CompletedTask;
        await One.Policies.ReplaceAsync("org", ready.Id, new NetworkPolicy { Mode = "deny-all" }, null);
        var waiting = One.Policies.WaitAsync("org", ready.Id, 2, TestContext.Current.CancellationToken);
        Clock.Now += TimeSpan.FromSeconds(11);
        Assert.False(await waiting);
        Assert.Equal(PolicyMode.AllowAll, Told(ready).Mode);

        Fleet.Calls.Before = _ => Task.CompletedTask;
        await One.WorkAsync();
        await Eventually.Async("it is told", () =>
        {
            Clock.Now += TimeSpan.FromSeconds(1);
            return Told(ready).Mode == PolicyMode.DenyAll;
        });
    }

    [Fact]
    public async Task AReplicaThatDiesBeforeItTellsTheNode_IsFollowedByOneThatDoes()
    {
        var ready = await ReadyAsync(new CreateRequest());
        var died = new TaskCompletionSource();
        Fleet.Calls.Before = async name =>
        {
            if (name == "policy")
            {
                Fleet.Calls.Before = _ => Task.CompletedTask;
                await One.KillAsync();
                died.TrySetResult();
                throw RpcErrors.Unavailable("GONE", "Nobody hears this.", TimeSpan.Zero);
            }
        };
        await One.Policies.ReplaceAsync("org", ready.Id, new NetworkPolicy { Mode = "deny-all" }, null);
        await died.Task.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);

        Clock.Now += TimeSpan.FromSeconds(100);
        var two = NewReplica();
        await two.WorkAsync();
        await InForceAsync(ready.Id, 2, two);

        Assert.Equal(PolicyMode.DenyAll, Told(ready).Mode);
    }

    [Fact]
    public async Task ANodeThatSaysThatNothingIsInForce_IsToldAgain()
    {
        var ready = await ReadyAsync(new CreateRequest());
        Fleet.Nodes[0].Policies[ready.Id] = new Policy();

        Assert.True(await One.Reconciler.ObserveAsync("a", new SandboxObservation { SandboxId = ready.Id, Generation = 1, Observed = Observed.Running }));
        await Eventually.Async("the node has the policy again", () => Told(ready).Version == 1);

        await InForceAsync(ready.Id, 1);
    }

    [Fact]
    public async Task APolicyThatTheNodeRefuses_LetsNothingOut()
    {
        var ready = await ReadyAsync(new CreateRequest());
        Fleet.Nodes[0].RefusePolicy = policy =>
        {
            if (policy.Mode == PolicyMode.Custom)
            {
                throw RpcErrors.InvalidArgument("policy.allow_domains[0]", "No.");
            }
        };

        await ReplaceAsync(ready.Id, new NetworkPolicy { Mode = "custom", AllowDomains = { "a.example" } });

        Assert.Equal((PolicyMode.DenyAll, 2L), (Told(ready).Mode, Told(ready).Version));
        Assert.Contains("policy.allow_domains[0]", Assert.Single(One.TakeErrors()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AProxy_IsToldWhole_AndShownWithoutItsPassword()
    {
        var ready = await ReadyAsync(new CreateRequest
        {
            Capabilities = new Capabilities { Browser = new BrowserCapability { ByoProxyUrl = $"socks5://user:{Value}@proxy.example.com:1080" } },
        });

        Assert.Equal($"socks5://user:{Value}@proxy.example.com:1080", Told(ready).UpstreamProxy);
        Assert.Equal("socks5://***@proxy.example.com:1080", ready.ToSandbox().Capabilities.Browser.ByoProxyUrl);
        await ReplaceAsync(ready.Id, new NetworkPolicy { Mode = "allow-all" });
        Assert.Contains(Value, Told(ready).UpstreamProxy, StringComparison.Ordinal);
        Assert.DoesNotContain(Value, await AllOfRedisAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AProxy_IsForThePlansThatOfferIt()
    {
        await One.AddOrganizationAsync("poor", "builder");
        var request = new CreateRequest { Capabilities = new Capabilities { Browser = new BrowserCapability { ByoProxyUrl = "http://proxy.example.com:3128" } } };

        var error = RpcErrors.Read(await Assert.ThrowsAsync<RpcException>(() => One.CreateAsync(request, "poor")));

        Assert.Equal((StatusCode.PermissionDenied, "PLAN_FEATURE_UNAVAILABLE", "pro", "builder"),
            (error.Code, error.Reason, error.Metadata["requiredPlan"], error.Metadata["currentPlan"]));
    }

    [Fact]
    public async Task ASealedPolicyOfAnotherSandbox_CannotBeOpened()
    {
        var one = await ReadyAsync(Injecting("X-Key", Value));
        var sealer = new Corral.Sessions.Policies.PolicySealer(new Secrets());

        Assert.NotNull(sealer.Open(one.Id, one.Policy!));
        Assert.Null(sealer.Open("sbx-another", one.Policy!));
    }

    private Policy Told(SandboxRecord record) => Fleet.Nodes.Single(node => node.Id == record.NodeId).Policies[record.Id];

    private async Task<SandboxRecord> ReadyAsync(CreateRequest request) =>
        await One.UntilAsync((await One.CreateAsync(request)).Id, SandboxState.Ready);

    private async Task ReplaceAsync(string id, NetworkPolicy policy)
    {
        var changed = await One.Policies.ReplaceAsync("org", id, policy, null);
        Assert.True(await One.Policies.WaitAsync("org", id, changed.Policy!.Version, TestContext.Current.CancellationToken));
    }

    private async Task<RpcErrorInfo> RefusedAsync(string id, NetworkPolicy policy, long? version = null) =>
        RpcErrors.Read(await Assert.ThrowsAsync<RpcException>(() => One.Policies.ReplaceAsync("org", id, policy, version)));

    private Task InForceAsync(string id, long version, Replica? replica = null) => Eventually.Async(
        $"version {version} is in force", TimeSpan.FromSeconds(60),
        async () => (await (replica ?? One).Store.FindAsync("org", id))!.Record.Policy!.InForce == version);

    private static CreateRequest Injecting(string name, string value) => new()
    {
        NetworkPolicy = new NetworkPolicy
        {
            Mode = "allow-all",
            Transforms = { new NetworkTransform { Domain = "api.example.com", InjectHeaders = { [name] = value } } },
        },
    };
}
