using Corral.Gateway;
using Corral.Hosting;

var builder = CorralHost.CreateEdgeBuilder(args, "gateway");
builder.AddGateway();
var app = builder.Build();
app.MapGateway();
await app.RunAsync();
