#!/usr/bin/env bash
# cli/build.sh services|all: builds the services (or everything), the guest and the templates, each only when something has changed.
set -euo pipefail
scope=$1
templates=${CORRAL_TEMPLATES:-${CORRAL_HOME:-/var/lib/corral}/templates}
mkdir -p artifacts
# One build of a checkout at a time. What is started here is without the lock: a compiler server outlives the build, and would keep it.
exec 9> artifacts/.build.lock
flock -n 9 || { echo 'waiting for another build'; flock 9; }

# newer STAMP PLACE...: whether anything there is newer than the stamp.
newer() {
    local stamp=$1
    shift
    [ ! -e "$stamp" ] || [ -n "$(find "$@" -newer "$stamp" -type f -not -path '*/obj/*' -not -path '*/node_modules/*' -print -quit)" ]
}

sources=(services libs protos compat cli build Directory.Build.props Directory.Build.targets Directory.Packages.props global.json)
[ "$scope" = services ] || sources+=(tests bench)
stamp=artifacts/.built-$scope
if newer "$stamp" "${sources[@]}"; then
    echo "building $scope"
    touch "$stamp.began"
    dotnet build build/all.proj -p:Scope="$scope" -v quiet -nologo -clp:ErrorsOnly > artifacts/build.log 2>&1 9>&- || { grep -E 'error|warn' artifacts/build.log | sort -u | head -n 40; exit 1; }
    mv "$stamp.began" "$stamp"
fi

if newer artifacts/.built-guest guest libs/guest-link Directory.Build.props; then
    echo 'building the guest'
    touch artifacts/.built-guest.began
    guest/publish.sh artifacts/guest 9>&-
    mv artifacts/.built-guest.began artifacts/.built-guest
fi

templates/build.sh "$templates" 9>&-
