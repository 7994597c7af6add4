using Corral.Hosting;
using Corral.NodeAgent;

if (args is ["purge"]) return await NodeAgentHost.PurgeAsync();

var builder = CorralHost.CreateBuilder(args, "node-agent");
builder.AddNodeAgent();
var app = builder.Build();
app.MapNodeAgent();
await app.RunAsync();
return 0;
