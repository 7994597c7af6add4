using Corral.Hosting;
using Corral.Sessions;

var builder = CorralHost.CreateBuilder(args, "sessions");
builder.AddSessions();
var app = builder.Build();
app.MapSessions();
await app.RunAsync();
