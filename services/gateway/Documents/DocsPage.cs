namespace Corral.Gateway.Documents;

/// <summary>A page that shows the OpenAPI document, with nothing from elsewhere.</summary>
internal static class DocsPage
{
    public const string Html = """
        <!doctype html><html lang="en"><meta charset="utf-8"><title>Corral API</title>
        <style>body{font:15px/1.5 system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem}code{background:#eee;padding:.1em .3em}pre{background:#f6f6f6;padding:1rem;overflow:auto}summary{cursor:pointer}</style>
        <h1>Corral API</h1><p>The machine-readable document is <a href="/openapi.json">/openapi.json</a>.</p><div id="api"></div>
        <script>
        fetch('/openapi.json').then(r => r.json()).then(doc => {
          const root = document.getElementById('api');
          for (const [path, verbs] of Object.entries(doc.paths)) for (const [verb, op] of Object.entries(verbs)) {
            const details = document.createElement('details'), summary = document.createElement('summary'), pre = document.createElement('pre');
            summary.innerHTML = '<code></code>';
            summary.firstChild.textContent = verb.toUpperCase() + ' ' + path;
            pre.textContent = JSON.stringify(op, null, 2);
            details.append(summary, pre); root.append(details);
          }
        });
        </script></html>
        """;
}
