using Corral.Egress;
using Corral.Hosting;

var builder = CorralHost.CreateBuilder(args, "egress");
builder.AddEgress();
var app = builder.Build();
app.MapEgress();
await app.RunAsync();
