using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;
using Corral.Egress.Flows;

namespace Corral.Egress.Tests.Lab;

/// <summary>Stands where connections are terminated: says which name it was given them for, and holds them until they are closed.</summary>
internal sealed class RecordingTerminator : ITerminator
{
    public ConcurrentQueue<(string Name, FlowProtocol Protocol, string? ServerName)> Taken { get; } = [];

    public async Task HandleAsync(Flow flow, CancellationToken cancellationToken)
    {
        Taken.Enqueue((flow.Name!, flow.Protocol, flow.ServerName));
        var buffer = new byte[16 * 1024];
        while (await flow.Client.ReceiveAsync(buffer, SocketFlags.None, cancellationToken) > 0)
        {
            var answer = flow.Protocol == FlowProtocol.Http ? $"HTTP/1.1 200 OK\r\ncontent-length: {flow.Name!.Length}\r\n\r\n{flow.Name}" : "terminated";
            await flow.Client.SendAsync(Encoding.Latin1.GetBytes(answer), cancellationToken);
        }
    }
}
