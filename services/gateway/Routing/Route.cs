using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;
using Corral.Dialect.V1;
using Corral.Gateway.Transcoding;
using Corral.Leap.V1;
using Google.Api;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;

namespace Corral.Gateway.Routing;

/// <summary>One public RPC and how JSON callers reach it, read from its annotations.</summary>
internal sealed class Route
{
    private static readonly Marshaller<byte[]> Bytes = new(static bytes => bytes, static bytes => bytes);

    public Route(MethodDescriptor method, HttpRule rule, bool isAlias = false)
    {
        IsAlias = isAlias;
        Descriptor = method;
        Call = method.GetOptions().GetExtension(DialectExtensions.Call) ?? throw new InvalidOperationException($"{method.FullName} has no corral.dialect.v1.call.");
        (Verb, Path) = rule.PatternCase switch
        {
            HttpRule.PatternOneofCase.Get => (HttpMethods.Get, rule.Get),
            HttpRule.PatternOneofCase.Post => (HttpMethods.Post, rule.Post),
            HttpRule.PatternOneofCase.Put => (HttpMethods.Put, rule.Put),
            HttpRule.PatternOneofCase.Delete => (HttpMethods.Delete, rule.Delete),
            HttpRule.PatternOneofCase.Patch => (HttpMethods.Patch, rule.Patch),
            _ => throw new InvalidOperationException($"{method.FullName} has no verb."),
        };
        HasBody = rule.Body == "*";
        ResponseField = rule.ResponseBody.Length > 0 ? method.OutputType.FindFieldByName(rule.ResponseBody) : null;
        IsLeap = MessageShape.IsLeap(method.File);
        IsOurs = method.File.Package == SharedListService.Descriptor.File.Package;
        IsSandboxScoped = method.InputType.FindFieldByNumber(1) is { Name: "sandbox_id" };
        RunsOnNode = IsOnNode(method.Service);
        ChangesRecords = MayChangeRecords(method);
        if (Call.Kept && (Verb != HttpMethods.Get || RunsOnNode || IsStream || !IsPlain(Call)))
        {
            throw new InvalidOperationException($"{method.FullName} cannot be kept.");
        }

        Method = new Method<byte[], byte[]>(
            method.IsServerStreaming ? MethodType.ServerStreaming : method.IsClientStreaming ? MethodType.ClientStreaming : MethodType.Unary, method.Service.FullName, method.Name, Bytes, Bytes);
    }

    public MethodDescriptor Descriptor { get; }

    public Call Call { get; }

    public string Verb { get; }

    public string Path { get; }

    /// <summary>Whether this is another way to the same call.</summary>
    public bool IsAlias { get; }

    public bool HasBody { get; }

    public FieldDescriptor? ResponseField { get; }

    /// <summary>Whether the call belongs to the leap dialect; otherwise it is boxes'.</summary>
    public bool IsLeap { get; }

    /// <summary>Whether the gateway answers the call itself, out of native calls.</summary>
    public bool IsOurs { get; }

    public bool IsSandboxScoped { get; }

    public bool RunsOnNode { get; }

    /// <summary>Whether the call may change what kept answers tell.</summary>
    public bool ChangesRecords { get; }

    public Method<byte[], byte[]> Method { get; }

    public bool IsStream => Descriptor.IsServerStreaming;

    /// <summary>Whether the body is passed on as it comes, however long it is.</summary>
    public bool IsUpload => Descriptor.IsClientStreaming;

    /// <summary>Whether the answer is passed on as it comes, however long it is.</summary>
    public bool IsDownload => Call.Answer == Answer.Bytes;

    /// <summary>Whether files are answered whole, in one piece.</summary>
    public bool ReadsFiles => !IsStream && Descriptor.Name is "Read" or "ReadFile" or "ReadFiles";

    /// <summary>Commands, terminals, files and what they tried to reach are the node's; everything else is answered by sessions.</summary>
    public static bool IsOnNode(ServiceDescriptor service) => service.Name is "ExecService" or "TerminalService" or "FileService" or "EgressLogService";

    /// <summary>Whether a call may change what kept answers tell. Whatever is done inside a sandbox changes no record before it is answered.</summary>
    public static bool MayChangeRecords(MethodDescriptor method) =>
        !IsOnNode(method.Service) && method.Service != LeapFilesystemService.Descriptor && method.Name != "Execute"
        && method.GetOptions() is { } options
        && options.GetExtension(AnnotationsExtensions.Http)?.PatternCase != HttpRule.PatternOneofCase.Get
        && options.GetExtension(DialectExtensions.Call)?.Kept != true;

    /// <summary>Whether a sandbox's node answers the call even when the sandbox is over.</summary>
    public static bool IsOfThePast(MethodDescriptor method) => method is { Service.Name: "EgressLogService", Name: "ListEgress" };

    /// <summary>Whether a part of a path stands for a field.</summary>
    public static bool IsParameter(string part) => part is ['{', .., '}'];

    /// <summary>Writes what the path says into the request.</summary>
    public void ReadPath(string path, IMessage request)
    {
        foreach (var (part, text) in Path.Split('/').Zip(path.Split('/')).Where(pair => IsParameter(pair.First)))
        {
            Descriptor.InputType.FindFieldByName(part[1..^1]).Accessor.SetValue(request, text);
        }
    }

    public string SandboxId(IMessage request) => (string)Descriptor.InputType.FindFieldByNumber(1).Accessor.GetValue(request);

    // One JSON document, whatever the request's headers say.
    private static bool IsPlain(Call call) =>
        call is { Status: 0, Answer: Answer.Unspecified, RawField: "", FixedAnswer: "", AcceptSelector: "", PartsField: "" };
}
