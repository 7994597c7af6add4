using System.Collections.Concurrent;
using System.Globalization;
using System.IO.Compression;
using Corral.Bench.Otlp;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Corral.Bench;

/// <summary>Takes the traces that the services export, over OTLP's HTTP form, and says what each phase took.</summary>
internal sealed class SpanCollector : IAsyncDisposable
{
    // The services export every half second.
    private static readonly TimeSpan Export = TimeSpan.FromSeconds(1.5);


    private readonly WebApplication _app;
    private readonly ConcurrentBag<(string Service, string Source, Span Span)> _spans = [];

    private SpanCollector(WebApplication app) => _app = app;

    public string Endpoint => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    /// <summary>What makes an instance's services export to this collector.</summary>
    public IReadOnlyDictionary<string, string> Settings => new Dictionary<string, string>
    {
        ["OTEL_EXPORTER_OTLP_ENDPOINT"] = Endpoint,
        ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
        ["OTEL_BSP_SCHEDULE_DELAY"] = "500",
    };

    public static async Task<SpanCollector> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var collector = new SpanCollector(app);
        app.MapPost("/v1/traces", collector.TakeAsync);
        app.MapPost("/v1/{signal}", () => Results.Ok());
        await app.StartAsync();
        return collector;
    }

    /// <summary>Forgets what was exported until now.</summary>
    public async Task ForgetAsync()
    {
        await Task.Delay(Export);
        _spans.Clear();
    }

    /// <summary>Medians by phase since <see cref="ForgetAsync"/>, as a table in the order in which the phases begin.</summary>
    public async Task<IEnumerable<string>> TableAsync()
    {
        await Task.Delay(Export);
        var began = _spans.GroupBy(s => s.Span.TraceId).ToDictionary(trace => trace.Key, trace => trace.Min(s => s.Span.StartTimeUnixNano));
        var phases = _spans
            .GroupBy(s => (s.Source, s.Span.Name))
            .Select(g =>
            {
                var (took, after) = (new Samples($"{g.Key.Source}: {g.Key.Name}"), new Samples(""));
                foreach (var (_, _, span) in g)
                {
                    took.Add(TimeSpan.FromMicroseconds((span.EndTimeUnixNano - span.StartTimeUnixNano) / 1000.0));
                    after.Add(TimeSpan.FromMicroseconds((span.StartTimeUnixNano - began[span.TraceId]) / 1000.0));
                }

                return (Took: took, After: after);
            })
            .Where(p => p.Took.Count >= 3)
            .OrderBy(p => p.After.Median)
            .Select(p => string.Create(
                CultureInfo.InvariantCulture, $"| {p.Took.Name} | {p.Took.Count} | {p.After.Median:0.0} | {p.Took.Median:0.0} | {p.Took.Percentile(95):0.0} |"));
        return ["| span | n | begins after, p50 ms | takes, p50 ms | p95 ms |", "|---|---|---|---|---|", .. phases];
    }

    /// <summary>The spans of the create that took neither longest nor shortest, in their order.</summary>
    public IEnumerable<string> OneCreate()
    {
        var creates = _spans.GroupBy(s => s.Span.TraceId).Where(trace => trace.Any(s => s is { Source: "Corral.Sessions", Span.Name: "create" }))
            .Select(trace => (Spans: trace.OrderBy(s => s.Span.StartTimeUnixNano).ToList(), Began: trace.Min(s => s.Span.StartTimeUnixNano), Ended: trace.Max(s => s.Span.EndTimeUnixNano)))
            .OrderBy(trace => trace.Ended - trace.Began).ToList();
        return creates.Count == 0 ? [] : ["| begins after ms | takes ms | service | span |", "|---|---|---|---|", .. Rows(creates[creates.Count / 2])];

        static IEnumerable<string> Rows((List<(string Service, string Source, Span Span)> Spans, ulong Began, ulong Ended) trace) => trace.Spans.Select(s => string.Create(
            CultureInfo.InvariantCulture,
            $"| {(s.Span.StartTimeUnixNano - trace.Began) / 1e6:0.0} | {(s.Span.EndTimeUnixNano - s.Span.StartTimeUnixNano) / 1e6:0.0} | {s.Service} | {s.Span.Name} {Of(s.Span.Attributes, "url.path")}{Of(s.Span.Attributes, "url.full")} |"));
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private async Task<IResult> TakeAsync(HttpRequest request)
    {
        using var buffer = new MemoryStream();
        if (request.Headers.ContentEncoding == "gzip")
        {
            await using var plain = new GZipStream(request.Body, CompressionMode.Decompress);
            await plain.CopyToAsync(buffer);
        }
        else
        {
            await request.Body.CopyToAsync(buffer);
        }

        var export = TraceExport.Parser.ParseFrom(buffer.ToArray());
        foreach (var resource in export.ResourceSpans)
        {
            foreach (var scope in resource.ScopeSpans)
            {
                foreach (var span in scope.Spans)
                {
                    _spans.Add((Of(resource.Resource?.Attributes ?? [], "service.name"), scope.Scope?.Name ?? "", span));
                }
            }
        }

        return Results.Ok();
    }

    private static string Of(IEnumerable<Otlp.Attribute> attributes, string key) => attributes.FirstOrDefault(attribute => attribute.Key == key)?.Value?.StringValue ?? "";
}
