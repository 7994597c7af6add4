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
        foreach (var path in routes.All.Where(r => !r.IsAlias).GroupBy(r => r.Path, StringComparer.Ordinal))
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
        _schemas["LeapError"] = new JsonObject
        {
            ["type"] = "object",
            ["required"] = new JsonArray("message"),
            ["properties"] = new JsonObject { ["message"] = Type("string"), ["errors"] = new JsonObject { ["type"] = "array", ["items"] = FieldError() } },
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
        if (Parameters(routes) is { Count: > 0 } parameters)
        {
            operation["parameters"] = parameters;
        }

        if (RequestContent(first) is { } content)
        {
            operation["requestBody"] = new JsonObject { ["content"] = content };
        }

        operation["responses"] = new JsonObject
        {
            [(first.Call.Status == 0 ? 200 : first.Call.Status).ToString(System.Globalization.CultureInfo.InvariantCulture)] = new JsonObject
            {
                ["description"] = "Success",
                ["content"] = AnswerContent(routes),
            },
            ["default"] = new JsonObject { ["description"] = "Error", ["content"] = Content("application/json", Reference(first.IsLeap ? "LeapError" : "Error")) },
        };
        return operation;
    }

    private JsonObject Answered(IReadOnlyList<Route> routes) =>
        routes.Count == 1 ? Answered(routes[0]) : new JsonObject { ["oneOf"] = new JsonArray([.. routes.Select(r => (JsonNode)Answered(r))]) };

    private JsonObject Answered(Route route) => Schema(route.ResponseField?.MessageType ?? route.Descriptor.OutputType);

    private static string Name(Route route) => $"{route.Descriptor.Service.Name}_{route.Descriptor.Name}";

    private JsonArray Parameters(IReadOnlyList<Route> routes)
    {
        var first = routes[0];
        var path = first.Path.Split('/').Where(Route.IsParameter).Select(part => Parameter(part[1..^1], "path", Type("string")));
        var query = RequestContent(first) is not null && first.Call.BodyField.Length == 0
            ? []
            : routes.SelectMany(r => MessageShape.Of(r.Descriptor.InputType).Fields).DistinctBy(f => f.Name).Select(f => Parameter(f.Name, "query", Value(f.Descriptor)));
        return [.. path.Concat(query)];
    }

    private JsonObject? RequestContent(Route route)
    {
        if (route.Call.BodyField.Length > 0)
        {
            return Content("application/octet-stream", Type("string"));
        }

        if (!route.HasBody)
        {
            return null;
        }

        var form = route.Call.PartsField.Length > 0 && route.Descriptor.InputType.FindFieldByName(route.Call.PartsField) is not null;
        return form ? Content("multipart/form-data", Type("object")) : Content("application/json", Schema(route.Descriptor.InputType));
    }

    private JsonObject AnswerContent(IReadOnlyList<Route> routes) => routes[0].Call switch
    {
        { Status: StatusCodes.Status204NoContent } => [],
        { RawAnswer: true } or { Answer: Answer.Bytes } => Content("application/octet-stream", Type("string")),
        { PartsField.Length: > 0 } => Content("multipart/form-data", Type("object")),
        _ => new JsonObject(routes.GroupBy(r => r.Call.Answer).Select(g => KeyValuePair.Create<string, JsonNode?>(
            g.Key == Answer.Events ? "text/event-stream" : "application/json", new JsonObject { ["schema"] = Answered([.. g]) }))),
    };

    private JsonObject Schema(MessageDescriptor message)
    {
        var name = (MessageShape.Of(message).Leap ? "Leap" : "") + message.Name;
        if (!_schemas.ContainsKey(name))
        {
            var properties = new JsonObject();
            _schemas[name] = new JsonObject { ["type"] = "object", ["properties"] = properties };
            AddProperties(properties, message);
        }

        return Reference(name);
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
        FieldType.Message when field.MessageType.FullName == "google.protobuf.Timestamp" && MessageShape.IsLeap(field.File) => new JsonObject { ["type"] = "string", ["format"] = "date-time" },
        FieldType.Message when field.MessageType.FullName == "google.protobuf.Timestamp" => Type("integer"),
        FieldType.Message => Schema(field.MessageType),
        FieldType.Bool => Type("boolean"),
        FieldType.Int32 or FieldType.Int64 => Type("integer"),
        FieldType.Double => Type("number"),
        _ => Type("string"),
    };

    private static JsonObject Parameter(string name, string where, JsonObject schema) =>
        new() { ["name"] = name, ["in"] = where, ["required"] = where == "path", ["schema"] = schema };

    private static JsonObject FieldError() =>
        new() { ["type"] = "object", ["properties"] = new JsonObject { ["field"] = Type("string"), ["error"] = Type("string") } };

    private static JsonObject Type(string name) => new() { ["type"] = name };

    private static JsonObject Reference(string name) => new() { ["$ref"] = "#/components/schemas/" + name };

    private static JsonObject Content(string type, JsonNode schema) => new() { [type] = new JsonObject { ["schema"] = schema } };
}
