using Corral.Dialect.V1;
using Google.Protobuf.Reflection;

namespace Corral.Gateway.Transcoding;

/// <summary>A field of a message, as its dialect shows it.</summary>
internal sealed class JsonField
{
    public JsonField(FieldDescriptor descriptor)
    {
        Descriptor = descriptor;
        Options = descriptor.GetOptions()?.GetExtension(DialectExtensions.Field) ?? new Field();
        Name = MessageShape.IsLeap(descriptor.File) ? Given(Options.Leap, descriptor.Name) : Given(Options.Boxes, Camel(descriptor.Name));
    }

    public FieldDescriptor Descriptor { get; }

    public Field Options { get; }

    public string Name { get; }

    public static string Camel(string name)
    {
        var parts = name.Split('_');
        return parts[0] + string.Concat(parts.Skip(1).Where(p => p.Length > 0).Select(p => char.ToUpperInvariant(p[0]) + p[1..]));
    }

    private static string Given(string name, string usual) => name.Length > 0 ? name : usual;
}
