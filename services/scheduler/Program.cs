using Corral.Hosting;
using Corral.Scheduler;

var builder = CorralHost.CreateBuilder(args, "scheduler");
builder.AddScheduler();
var app = builder.Build();
app.MapScheduler();
await app.RunAsync();
