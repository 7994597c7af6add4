using System.Text;
using System.Text.Json.Nodes;
using Corral.Tests.Instance;

namespace Corral.EndToEnd.Tests;

/// <summary>An operation of the OpenAPI document.</summary>
/// <param name="Verb">The HTTP method.</param>
/// <param name="Path">With its parameters in braces.</param>
/// <param name="Query">The names of its query parameters.</param>
/// <param name="Body">The media type of what it takes; null for nothing.</param>
/// <param name="Properties">Of a JSON body, by name.</param>
/// <param name="Scope">What a key needs.</param>
internal sealed record ApiOperation(HttpMethod Verb, string Path, IReadOnlyList<string> Query, string? Body, IReadOnlyDictionary<string, JsonObject> Properties, string Scope)
{
    public bool IsOperators => Path.StartsWith("/v1/admin/", StringComparison.Ordinal);

    public override string ToString() => $"{Verb} {Path}";

    /// <summary>All that the document of an instance speaks of.</summary>
    public static async Task<IReadOnlyList<ApiOperation>> AllAsync(BoxesClient client)
    {
        var document = (await client.GetAsync("/openapi.json")).Body!;
        var schemas = document["components"]!["schemas"]!.AsObject();
        return
        [
            .. from path in document["paths"]!.AsObject()
               from operation in path.Value!.AsObject()
               select Of(path.Key, operation.Key, operation.Value!, schemas),
        ];
    }

    /// <summary>A request with these values; what has none is left out.</summary>
    public HttpRequestMessage Request(Func<string, JsonNode?> valueOf)
    {
        var path = string.Join('/', Path.Split('/').Select(part => part.StartsWith('{') ? Uri.EscapeDataString(valueOf(part[1..^1])?.ToString() ?? "") : part));
        var query = Query.Select(name => (name, Value: valueOf(name))).Where(pair => pair.Value is not null).Select(pair => $"{pair.name}={Uri.EscapeDataString(pair.Value!.ToString())}");
        var members = Properties.Keys.Select(name => KeyValuePair.Create(name, valueOf(name))).Where(pair => pair.Value is not null);
        return new HttpRequestMessage(Verb, path + (Query.Count == 0 ? "" : "?" + string.Join('&', query)))
        {
            Content = Body switch
            {
                null => null,
                "application/json" => new StringContent(new JsonObject(members).ToJsonString(), Encoding.UTF8, Body),
                "multipart/form-data" => new MultipartFormDataContent { { new StringContent("content"), "/workspace/file", "/workspace/file" } },
                _ => new ByteArrayContent("content"u8.ToArray()) { Headers = { ContentType = new(Body) } },
            },
        };
    }

    private static ApiOperation Of(string path, string verb, JsonNode operation, JsonObject schemas)
    {
        var query = from parameter in operation["parameters"]?.AsArray() ?? []
                    where (string)parameter!["in"]! == "query"
                    select (string)parameter!["name"]!;
        var body = operation["requestBody"]?["content"]!.AsObject().Single();
        var schema = (string?)body?.Value!["schema"]!["$ref"] is { } reference ? schemas[reference.Split('/')[^1]] : null;
        var properties = schema?["properties"]!.AsObject().ToDictionary(property => property.Key, property => property.Value!.AsObject()) ?? [];
        return new ApiOperation(new HttpMethod(verb.ToUpperInvariant()), path, [.. query], body?.Key, properties, (string)operation["x-required-scope"]!);
    }
}
