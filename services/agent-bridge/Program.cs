using Corral.AgentBridge;
using Corral.Hosting;

var builder = CorralHost.CreateBuilder(args, "agent-bridge");
builder.AddAgentBridge();
var app = builder.Build();
app.MapAgentBridge();
await app.RunAsync();
