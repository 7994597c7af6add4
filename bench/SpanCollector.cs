using System.Collections.Concurrent;
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
    private readonly WebApplication _app;
    private readonly ConcurrentBag<(string Source, Span Span)> _spans = [];

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

    /// <summary>Medians by phase: the spans of Corral's own sources, as a table.</summary>
    public IEnumerable<string> Table(Func<string, bool> ofTrace)
    {
        var roots = _spans.Where(s => ofTrace(s.Span.Name)).Select(s => s.Span.TraceId).ToHashSet();
        var phases = _spans
            .Where(s => roots.Contains(s.Span.TraceId))
            .GroupBy(s => (s.Source, s.Span.Name))
            .Select(g =>
            {
                var samples = new Samples($"{g.Key.Source}: {g.Key.Name}");
                foreach (var (_, span) in g)
                {
                    samples.Add(TimeSpan.FromMicroseconds((span.EndTimeUnixNano - span.StartTimeUnixNano) / 1000.0));
                }

                return (Samples: samples, First: g.Average(s => (double)(s.Span.StartTimeUnixNano % 1_000_000_000_000)));
            })
            .Where(p => p.Samples.Count >= 3)
            .OrderByDescending(p => p.Samples.Median);
        yield return "| phase | n | p50 ms | p95 ms |";
        yield return "|---|---|---|---|";
        foreach (var (samples, _) in phases)
        {
            yield return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"| {samples.Name} | {samples.Count} | {samples.Median:0.00} | {samples.Percentile(95):0.00} |");
        }
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
        foreach (var scope in export.ResourceSpans.SelectMany(r => r.ScopeSpans))
        {
            foreach (var span in scope.Spans)
            {
                _spans.Add((scope.Scope?.Name ?? "", span));
            }
        }

        return Results.Ok();
    }
}
