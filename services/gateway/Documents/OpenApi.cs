using Route = Corral.Gateway.Routing.Route;
using System.Text.Json.Nodes;
using Corral.Dialect.V1;
using Corral.Gateway.Routing;
using Corral.Gateway.Transcoding;
using Google.Protobuf.Reflection;

namespace Corral.Gateway.Documents;

/// <summary>The OpenAPI document, from the same table that answers requests.</summary>
internal sealed class OpenApi
{
    private readonly JsonObject _schemas = [];

    public OpenApi(RouteTable routes)
    {
        var paths = new JsonObject();
        foreach (var path in routes.All.GroupBy(r => r.Path, StringComparer.Ordinal))
        {
            var operations = path.GroupBy(r => r.Verb).Select(g => (g.Key, Routes: g.OrderBy(r => r.Call.QuerySelector.Length + r.Call.AcceptSelector.Length).ToList()));
            paths[path.Key] = new JsonObject(operations.Select(o => KeyValuePair.Create<string, JsonNode?>(o.Key.ToLowerInvariant(), Operation(o.Routes))));
        }

        var document = new JsonObject
        {
            ["openapi"] = "3.1.0",
            ["info"] = new JsonObject { ["title"] = "Corral", ["version"] = "v1" },
            ["security"] = new JsonArray(new JsonObject { ["key"] = new JsonArray() }),
            ["paths"] = paths,
            ["components"] = new JsonObject
            {
                ["schemas"] = _schemas,
                ["securitySchemes"] = new JsonObject { ["key"] = new JsonObject { ["type"] = "http", ["scheme"] = "bearer" } },
            },
        };
        _schemas["Error"] = new JsonObject
        {
            ["type"] = "object",
            ["required"] = new JsonArray("error"),
            ["properties"] = new JsonObject { ["error"] = Type("string"), ["code"] = Type("string"), ["requiredPlan"] = Type("string"), ["currentPlan"] = Type("string") },
        };
        Text = document.ToJsonString(new() { WriteIndented = true });
    }

    public string Text { get; }

    // A document has one operation a verb: RPCs that only a selector tells apart share it.
    private JsonObject Operation(IReadOnlyList<Route> routes)
    {
        var first = routes[0];
        var operation = new JsonObject
        {
            ["operationId"] = Name(first),
            ["x-rpcs"] = new JsonArray([.. routes.Select(r => (JsonNode)Name(r))]),
            ["x-required-scope"] = first.Call.Scope,
        };
        if (first.HasBody)
        {
            operation["requestBody"] = new JsonObject { ["content"] = Content("application/json", Schema(first.Descriptor.InputType)) };
        }
        else
        {
            operation["parameters"] = new JsonArray([.. routes.SelectMany(r => MessageShape.Of(r.Descriptor.InputType).Fields).DistinctBy(f => f.Name).Select(f =>
                (JsonNode)new JsonObject { ["name"] = f.Name, ["in"] = "query", ["schema"] = Value(f.Descriptor) })]);
        }

        operation["responses"] = new JsonObject
        {
            [(first.Call.Status == 0 ? 200 : first.Call.Status).ToString(System.Globalization.CultureInfo.InvariantCulture)] = new JsonObject
            {
                ["description"] = "Success",
                ["content"] = new JsonObject(routes.GroupBy(r => r.Call.Answer).Select(g => KeyValuePair.Create<string, JsonNode?>(
                    g.Key == Answer.Events ? "text/event-stream" : "application/json", new JsonObject { ["schema"] = Answered([.. g]) }))),
            },
            ["default"] = new JsonObject { ["description"] = "Error", ["content"] = Content("application/json", Reference("Error")) },
        };
        return operation;
    }

    private JsonObject Answered(IReadOnlyList<Route> routes) =>
        routes.Count == 1 ? Answered(routes[0]) : new JsonObject { ["oneOf"] = new JsonArray([.. routes.Select(r => (JsonNode)Answered(r))]) };

    private JsonObject Answered(Route route) => Schema(route.ResponseField?.MessageType ?? route.Descriptor.OutputType);

    private static string Name(Route route) => $"{route.Descriptor.Service.Name}_{route.Descriptor.Name}";

    private JsonObject Schema(MessageDescriptor message)
    {
        if (!_schemas.ContainsKey(message.Name))
        {
            var properties = new JsonObject();
            _schemas[message.Name] = new JsonObject { ["type"] = "object", ["properties"] = properties };
            AddProperties(properties, message);
        }

        return Reference(message.Name);
    }

    private void AddProperties(JsonObject properties, MessageDescriptor message)
    {
        foreach (var field in MessageShape.Of(message).Fields)
        {
            if (field.Options.Inline)
            {
                AddProperties(properties, field.Descriptor.MessageType);
            }
            else
            {
                properties[field.Name] = Value(field.Descriptor);
            }
        }
    }

    private JsonObject Value(FieldDescriptor field)
    {
        if (field.IsMap)
        {
            return new JsonObject { ["type"] = "object", ["additionalProperties"] = One(field.MessageType.FindFieldByNumber(2)) };
        }

        return field.IsRepeated ? new JsonObject { ["type"] = "array", ["items"] = One(field) } : One(field);
    }

    private JsonObject One(FieldDescriptor field) => field.FieldType switch
    {
        FieldType.Message when field.MessageType.FullName == "google.protobuf.Timestamp" => Type("integer"),
        FieldType.Message => Schema(field.MessageType),
        FieldType.Bool => Type("boolean"),
        FieldType.Int32 or FieldType.Int64 => Type("integer"),
        FieldType.Double => Type("number"),
        _ => Type("string"),
    };

    private static JsonObject Type(string name) => new() { ["type"] = name };

    private static JsonObject Reference(string name) => new() { ["$ref"] = "#/components/schemas/" + name };

    private static JsonObject Content(string type, JsonNode schema) => new() { [type] = new JsonObject { ["schema"] = schema } };
}
