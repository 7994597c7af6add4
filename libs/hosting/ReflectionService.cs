using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Reflection.V1;

namespace Corral.Hosting;

/// <summary>The services that the process offers, for reflection.</summary>
internal sealed class ReflectedServices
{
    /// <summary>Health, and what the service added while it was composed.</summary>
    public List<ServiceDescriptor> Services { get; } = [Health.Descriptor];

    public void Add(IEnumerable<ServiceDescriptor> services) => Services.AddRange(services);
}

/// <summary>Server reflection, <c>grpc.reflection.v1</c>: tells tools such as grpcurl what the process offers.</summary>
internal sealed class ReflectionService(ReflectedServices reflected) : ServerReflection.ServerReflectionBase
{
    private readonly Dictionary<string, FileDescriptor> _byName = Files(reflected.Services).ToDictionary(f => f.Name, StringComparer.Ordinal);

    public override async Task ServerReflectionInfo(
        IAsyncStreamReader<ServerReflectionRequest> requestStream,
        IServerStreamWriter<ServerReflectionResponse> responseStream,
        ServerCallContext context)
    {
        while (await requestStream.MoveNext(context.CancellationToken))
        {
            await responseStream.WriteAsync(Answer(requestStream.Current), context.CancellationToken);
        }
    }

    private ServerReflectionResponse Answer(ServerReflectionRequest request)
    {
        var response = new ServerReflectionResponse { ValidHost = request.Host, OriginalRequest = request };
        switch (request.MessageRequestCase)
        {
            case ServerReflectionRequest.MessageRequestOneofCase.ListServices:
                response.ListServicesResponse = new ListServiceResponse();
                response.ListServicesResponse.Service.AddRange(reflected.Services.Select(s => new ServiceResponse { Name = s.FullName }));
                break;
            case ServerReflectionRequest.MessageRequestOneofCase.FileByFilename when _byName.TryGetValue(request.FileByFilename, out var file):
                response.FileDescriptorResponse = WithDependencies(file);
                break;
            case ServerReflectionRequest.MessageRequestOneofCase.FileContainingSymbol when Containing(request.FileContainingSymbol) is { } file:
                response.FileDescriptorResponse = WithDependencies(file);
                break;
            default:
                response.ErrorResponse = new ErrorResponse { ErrorCode = (int)StatusCode.NotFound, ErrorMessage = "not found" };
                break;
        }

        return response;
    }

    private FileDescriptor? Containing(string symbol) => _byName.Values.FirstOrDefault(file =>
        file.Services.Any(s => s.FullName == symbol || s.Methods.Any(m => m.FullName == symbol))
        || file.MessageTypes.Any(m => symbol == m.FullName || symbol.StartsWith(m.FullName + ".", StringComparison.Ordinal))
        || file.EnumTypes.Any(e => e.FullName == symbol));

    private static FileDescriptorResponse WithDependencies(FileDescriptor file)
    {
        var response = new FileDescriptorResponse();
        response.FileDescriptorProto.AddRange(Closure([file]).Select(f => f.SerializedData));
        return response;
    }

    private static IEnumerable<FileDescriptor> Files(IEnumerable<ServiceDescriptor> services) => Closure(services.Select(s => s.File));

    private static List<FileDescriptor> Closure(IEnumerable<FileDescriptor> roots)
    {
        var found = new List<FileDescriptor>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        var waiting = new Queue<FileDescriptor>(roots);
        while (waiting.TryDequeue(out var file))
        {
            if (names.Add(file.Name))
            {
                found.Add(file);
                foreach (var dependency in file.Dependencies)
                {
                    waiting.Enqueue(dependency);
                }
            }
        }

        return found;
    }
}
