using System.Net;
using Corral.Api.V1;
using Corral.Hosting;
using Corral.Redis;
using Corral.Scheduler.V1;
using Corral.Sessions.Creating;
using Corral.Sessions.Events;
using Corral.Sessions.Keys;
using Corral.Sessions.Ledger;
using Corral.Sessions.Lifecycle;
using Corral.Sessions.Nodes;
using Corral.Sessions.Organizations;
using Corral.Sessions.Policies;
using Corral.Sessions.Records;
using Corral.Sessions.Usage;
using Corral.Sessions.Vault;
using Corral.Sessions.Webhooks;
using Corral.Tests.Support;
using Microsoft.Extensions.Options;

namespace Corral.Sessions.Tests;

/// <summary>One process of sessions: its parts, as the host composes them, on a Redis that it shares with others.</summary>
internal sealed class Replica : IAsyncDisposable
{
    private readonly ChannelPool _channels = new();
    private readonly Lifetime _lifetime = new();
    private readonly ErrorLog<SandboxDriver> _log = new();
    private readonly ErrorLog<PolicyResolver> _policyLog = new();
    private readonly ErrorLog<Rotations> _rotationLog = new();
    private readonly ErrorLog<Courier> _courierLog = new();
    private readonly ErrorLog<Deliverer> _delivererLog = new();
    private readonly ErrorLog<DueWorker> _workerLog = new();
    private readonly Sender _sender;
    private readonly Deliverer _deliverer;
    private readonly Couriers _couriers;
    private readonly ChangeFeed _changes;
    private readonly DueWorker _worker;
    private bool _working;

    public Replica(RedisServer server, Fleet fleet, TimeProvider clock, Action<WebhookOptions>? configure = null, PlanOptions? plans = null)
    {
        configure?.Invoke(WebhookOptions);
        var secrets = new Secrets();
        Redis = new RedisConnection(server.SocketPath);
        Events = new EventLog(Redis, Options.Create(new EventOptions()), clock);
        var ledger = Options.Create(new LedgerOptions());
        Store = new SandboxStore(Redis, Events, ledger);
        Organizations = new OrganizationStore(Redis);
        Keys = new KeyStore(Redis, clock);
        ApiKeys = new ApiKeys(Keys, clock);
        Register = new OrganizationRegister(Organizations, ApiKeys, clock);
        Bootstrap = new BootstrapKey(Keys, Organizations, clock);
        Plans = Options.Create(plans ?? new PlanOptions());
        Usage = new UsageReader(Redis, clock);
        Allowances = new Allowances(Organizations, Usage, Plans, clock);
        Terminations = new Terminations(Redis, Store, ledger, clock);
        Line = new WaitingLine(Store, clock);
        Due = new DueQueue(Redis, clock);
        var scheduler = new PlacementService.PlacementServiceClient(_channels.Get(fleet.SchedulerAddress));
        Vault = new SecretStore(Redis, secrets, clock);
        var sealer = new PolicySealer(secrets);
        var policies = Options.Create(new PolicyOptions());
        var drafter = new PolicyDrafter(new PolicyValidator(policies), sealer, Vault, policies);
        Driver = new SandboxDriver(
            Store, Due, Allowances, Plans, secrets, new PolicyResolver(sealer, Vault, _policyLog), Vault, scheduler, _channels, clock, _lifetime, _log);
        Creator = new SandboxCreator(Store, Allowances, new PlanRefusals(Line, clock), Terminations, Due, Driver, secrets, drafter, clock);
        Store.Vacated += Driver.Drive;
        Ender = new SandboxEnder(Store, Due, Driver, clock);
        Reconciler = new NodeReconciler(Store, Due, Driver, clock);
        Lost = new LostSandboxes(Store, Due, Driver, clock);
        _changes = new ChangeFeed(Store, clock);
        Policies = new PolicyChanger(Store, Due, Driver, _changes, drafter, policies, clock);
        Rotations = new Rotations(Vault, Policies, Due, _lifetime, _rotationLog);
        Secrets = new SecretVault(Vault, Rotations, policies);
        Watch = WatchOf(Events);
        var webhooks = Options.Create(WebhookOptions);
        var targets = new Targets((name, cancellationToken) => Resolve(name, cancellationToken), webhooks, clock);
        _sender = new Sender(targets, secrets, webhooks, clock, clock);
        WebhookStore = new WebhookStore(Redis);
        Deliveries = new DeliveryStore(Redis, webhooks, clock);
        Webhooks = new WebhookRegistry(WebhookStore, secrets, targets, Events, Due, webhooks, clock);
        OnDemand = new OnDemand(Webhooks, Deliveries, _sender, clock);
        _deliverer = new Deliverer(Deliveries, _sender, Webhooks, webhooks, clock, _delivererLog);
        _couriers = new Couriers(WebhookStore, Deliveries, _deliverer, Events, Due, _changes, webhooks, clock, _lifetime, _courierLog);
        _worker = new DueWorker(Due, Driver, Rotations, _couriers, clock, _workerLog);
    }

    public RedisConnection Redis { get; }

    public EventLog Events { get; }

    public SandboxStore Store { get; }

    public OrganizationStore Organizations { get; }

    public OrganizationRegister Register { get; }

    public EventWatch Watch { get; }

    /// <summary>Receivers of tests are on this host, and speak http.</summary>
    public WebhookOptions WebhookOptions { get; } = new() { AllowHttp = true, PermittedRanges = ["127.0.0.0/8"], FirstPause = TimeSpan.FromSeconds(10) };

    /// <summary>What names lead to, for webhooks.</summary>
    public ResolveName Resolve { get; set; } = Dns.GetHostAddressesAsync;

    public WebhookStore WebhookStore { get; }

    public DeliveryStore Deliveries { get; }

    public WebhookRegistry Webhooks { get; }

    public OnDemand OnDemand { get; }

    public KeyStore Keys { get; }

    public ApiKeys ApiKeys { get; }

    public BootstrapKey Bootstrap { get; }

    public IOptions<PlanOptions> Plans { get; }

    public UsageReader Usage { get; }

    public Allowances Allowances { get; }

    public Terminations Terminations { get; }

    public WaitingLine Line { get; }

    public DueQueue Due { get; }

    public SandboxDriver Driver { get; }

    public SandboxCreator Creator { get; }

    public SandboxEnder Ender { get; }

    public NodeReconciler Reconciler { get; }

    public LostSandboxes Lost { get; }

    public PolicyChanger Policies { get; }

    public SecretStore Vault { get; }

    public SecretVault Secrets { get; }

    public Rotations Rotations { get; }

    /// <summary>Follows a log that has settings of its own.</summary>
    public EventWatch WatchOf(EventLog log) => new(log, _changes);

    /// <summary>The driver's errors so far, which are thereby expected.</summary>
    public IReadOnlyList<string> TakeErrors() => _log.Take();

    /// <summary>Begins to take what is due.</summary>
    public async Task WorkAsync()
    {
        _working = true;
        await _changes.StartAsync(CancellationToken.None);
        await _worker.StartAsync(CancellationToken.None);
    }

    public Task<SandboxRecord> CreateAsync(CreateRequest? request = null, string organization = "org") =>
        Creator.CreateAsync(new CallerIdentity(organization, "key", [], "request"), request ?? new CreateRequest());

    /// <summary>Writes an organisation down, with its plan.</summary>
    public Task AddOrganizationAsync(string organization, string plan) =>
        Organizations.AddAsync(new OrganizationFacts(organization, organization, plan, DateTimeOffset.UnixEpoch));

    /// <summary>Waits until a sandbox is in a state, and answers its record.</summary>
    public async Task<SandboxRecord> UntilAsync(string id, SandboxState state, string organization = "org")
    {
        SandboxRecord? record = null;
        await Eventually.Async($"{id} is {state}", TimeSpan.FromSeconds(60), async () =>
        {
            record = (await Store.FindAsync(organization, id))?.Record;
            return record?.State == state && (!record.IsOver || record.CleanedUp);
        });
        return record!;
    }

    /// <summary>Dies: it writes nothing any more, and calls nobody.</summary>
    public async Task KillAsync()
    {
        await Redis.DisposeAsync();
        _lifetime.StopApplication();
    }

    /// <summary>Fails when it logged an error.</summary>
    public void AssertNoErrors()
    {
        _log.AssertEmpty();
        _rotationLog.AssertEmpty();
        _courierLog.AssertEmpty();
        _delivererLog.AssertEmpty();
        _workerLog.AssertEmpty();
    }

    public async ValueTask DisposeAsync()
    {
        _lifetime.StopApplication();
        if (_working)
        {
            await _worker.StopAsync(CancellationToken.None);
        }

        _worker.Dispose();
        _deliverer.Dispose();
        _sender.Dispose();
        _changes.Dispose();
        await Redis.DisposeAsync();
        _channels.Dispose();
        _lifetime.Dispose();
    }
}
