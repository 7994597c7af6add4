#!/usr/bin/env bash
# guest/publish.sh DIR: builds the guest, one static program, as DIR/corral-guest.
set -euo pipefail
out=$(realpath -m "$1")
cd "$(dirname "$0")"
dotnet publish Corral.Guest.csproj -v quiet -nologo -clp:ErrorsOnly -o "$out.publish"
mkdir -p "$out"
# Renamed into place: a guest that runs keeps its own file.
cp "$out.publish/Corral.Guest" "$out/corral-guest.new"
chmod 755 "$out/corral-guest.new"
mv "$out/corral-guest.new" "$out/corral-guest"
rm -rf "$out.publish"
