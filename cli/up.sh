#!/usr/bin/env bash
# ./corral up [--detach]: installs, builds and starts an instance.
set -euo pipefail
if [ "$(id -u)" -ne 0 ]; then
    echo 'corral: up needs root: it makes namespaces, mounts and cgroups' >&2
    exit 1
fi
source cli/install.sh
need_host
need_build
cli/build.sh services
exec artifacts/bin/Corral.Cli/release/Corral.Cli up "$@"
