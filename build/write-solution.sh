#!/usr/bin/env bash
# Writes Corral.slnx from the projects that are there; --check fails when it is not up to date.
set -euo pipefail
cd "$(dirname "$0")/.."

solution() {
    echo '<Solution>'
    git ls-files '*.csproj' | sort | awk -F/ '{ folder = ""; for (i = 1; i < NF - 1; i++) folder = folder "/" $i; if (folder == "") folder = "/" $1
        if (folder != last) { if (last != "") print "  </Folder>"; print "  <Folder Name=\"" folder "/\">"; last = folder }
        print "    <Project Path=\"" $0 "\" />" } END { if (last != "") print "  </Folder>" }'
    echo '</Solution>'
}

if [ "${1:-}" = --check ]; then
    solution | diff -u Corral.slnx - || { echo 'Corral.slnx is out of date: run build/write-solution.sh' >&2; exit 1; }
else
    solution > Corral.slnx
fi
