using Corral.Gateway;
using Corral.Hosting;

var builder = CorralHost.CreateEdgeBuilder(args, "gateway");
builder.HandleInline();
builder.AddGateway();
var app = builder.Build();
app.MapGateway();
await app.RunAsync();
