using Corral.Contract.Tests.Echoes;
using Grpc.Core;

namespace Corral.Clients.Tests.Lab;

/// <summary>Says what it is told.</summary>
internal sealed class EchoService : Echo.EchoBase
{
    public override Task<Word> Unary(Word request, ServerCallContext context) => Task.FromResult(request);

    public override async Task Talk(IAsyncStreamReader<Word> requestStream, IServerStreamWriter<Word> responseStream, ServerCallContext context)
    {
        await foreach (var word in requestStream.ReadAllAsync(context.CancellationToken)) await responseStream.WriteAsync(word, context.CancellationToken);
        context.ResponseTrailers.Add("said", "everything");
    }
}
