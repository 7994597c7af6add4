#!/usr/bin/env bash
# Lints the contracts and refuses a change that breaks callers of the accepted ones.
#   protos/check.sh            check
#   protos/check.sh --accept   take the contracts as they are for the new baseline
set -euo pipefail
cd "$(dirname "$0")"
tools=../artifacts/tools/buf
if [ ! -x "$tools/node_modules/.bin/buf" ]; then
    command -v npm > /dev/null || { apt-get update -qq && apt-get install -y -qq npm > /dev/null; }
    npm install --silent --no-save --prefix "$tools" @bufbuild/buf@1 > /dev/null
fi
buf=$tools/node_modules/.bin/buf
if [ "${1:-}" = --accept ]; then
    "$buf" build -o baseline.binpb
    exit
fi
"$buf" lint
"$buf" breaking --against baseline.binpb
echo 'contracts: fine'
