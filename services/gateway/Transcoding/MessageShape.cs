using System.Collections.Concurrent;
using System.Collections.Frozen;
using Corral.Dialect.V1;
using Google.Protobuf.Reflection;

namespace Corral.Gateway.Transcoding;

/// <summary>A message's fields by the JSON names that they have or may be given by: read once from its descriptor.</summary>
internal sealed class MessageShape
{
    private static readonly ConcurrentDictionary<MessageDescriptor, MessageShape> Shapes = new();

    private MessageShape(MessageDescriptor descriptor)
    {
        Descriptor = descriptor;
        Leap = IsLeap(descriptor.File);
        Fields = [.. descriptor.Fields.InDeclarationOrder().Select(f => new JsonField(f)).Where(f => !f.Options.Hidden)];
        var named = Fields.Where(f => !f.Options.Inline).ToList();
        ByName = named.Select(f => (f.Name, Field: f))
            .Concat(named.Where(f => !Leap && f.Options.BoxesAlso.Length > 0).Select(f => (Name: f.Options.BoxesAlso, Field: f)))
            .ToFrozenDictionary(pair => pair.Name, pair => pair.Field, StringComparer.Ordinal);
        Inline = [.. Fields.Where(f => f.Options.Inline)];
    }

    public MessageDescriptor Descriptor { get; }

    /// <summary>Whether the message belongs to the leap dialect; otherwise it is boxes'.</summary>
    public bool Leap { get; }

    public IReadOnlyList<JsonField> Fields { get; }

    public FrozenDictionary<string, JsonField> ByName { get; }

    public IReadOnlyList<JsonField> Inline { get; }

    public static MessageShape Of(MessageDescriptor descriptor) => Shapes.GetOrAdd(descriptor, static d => new MessageShape(d));

    /// <summary>Whether a contract's messages belong to the leap dialect.</summary>
    public static bool IsLeap(FileDescriptor file) => file.GetOptions()?.GetExtension(DialectExtensions.Dialect) == Dialect.V1.Dialect.Leap;

    /// <summary>Where JSON callers find a field that a service names in the contract's words, such as <c>network_policy.mode</c>.</summary>
    public string JsonPath(string contractPath)
    {
        var dot = contractPath.IndexOf('.', StringComparison.Ordinal);
        var head = dot < 0 ? contractPath : contractPath[..dot];
        return dot > 0 && Inline.Any(f => f.Descriptor.Name == head) ? contractPath[(dot + 1)..] : JsonName(head) + contractPath[head.Length..];
    }

    private string JsonName(string contractName)
    {
        foreach (var field in Fields)
        {
            if (field.Descriptor.Name == contractName || field.Options.Native == contractName)
            {
                return field.Name;
            }

            if (field.Options.Inline && Of(field.Descriptor.MessageType).Fields.Any(f => f.Descriptor.Name == contractName))
            {
                return Of(field.Descriptor.MessageType).JsonName(contractName);
            }
        }

        return Leap ? contractName : JsonField.Camel(contractName);
    }
}
