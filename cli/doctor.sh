#!/usr/bin/env bash
# ./corral doctor: says what this host lacks, and what each lack costs. Ends with 1 when sandboxes cannot run at all.
set -uo pipefail
fatal=0

say() { printf '%-8s %-28s %s\n' "$1" "$2" "${3:-}"; }

# check KIND NAME COST COMMAND...: KIND is needed (without it nothing runs), wanted, or build.
check() {
    local kind=$1 name=$2 cost=$3
    shift 3
    if "$@" > /dev/null 2>&1; then
        say ok "$name"
    else
        say "$kind" "$name" "$cost"
        [ "$kind" != needed ] || fatal=1
    fi
}

has() { command -v "$1"; }
either() { has crun || has runc; }
root() { [ "$(id -u)" -eq 0 ]; }
sdk() { dotnet --list-sdks | grep -q '^10\.'; }
cgroups() { [ -e /sys/fs/cgroup/cgroup.controllers ] || { [ -d /sys/fs/cgroup/memory ] && [ -d /sys/fs/cgroup/freezer ] && [ -d /sys/fs/cgroup/pids ]; }; }
filesystem() { grep -qw "$1" /proc/filesystems || modprobe -n "$1"; }
namespaces() { unshare --net --mount true; }
users() { unshare --user true; }
kernel() { [ "$(printf '%s\n' 5.12 "$(uname -r)" | sort -V | head -n 1)" = 5.12 ]; }
space() { [ "$(df --output=avail -k "$(dirname "${CORRAL_HOME:-/var/lib/corral}")" | tail -n 1)" -gt $((5 * 1024 * 1024)) ]; }
watches() { [ "$(cat /proc/sys/fs/inotify/max_user_instances)" -ge 1024 ]; }
tables() { unshare --net nft list ruleset; }
redis() { [ -n "${CORRAL_REDIS:-}" ] || has redis-server; }

check needed  root                         'namespaces, mounts and cgroups cannot be made' root
check needed  '.NET 10 SDK'                'nothing can be built' sdk
check needed  'kernel 5.12 or newer'       'template layers cannot be mapped into user namespaces' kernel
check needed  'network and mount namespaces' 'sandboxes cannot be made' namespaces
check needed  overlayfs                    'sandboxes have no file system' filesystem overlay
check needed  'cgroups (v1 or v2)'         'sandboxes cannot be limited' cgroups
check needed  nft                          './corral up installs it; networks cannot be ruled without it' has nft
check needed  'nftables in the kernel'     'networks cannot be ruled' tables
check needed  redis-server                 './corral up installs it; or name another in CORRAL_REDIS' redis
check wanted  'runsc (gVisor)'             './corral up installs it; without it only isolation "runc" is offered' has runsc
check wanted  'crun or runc'               './corral up installs them; without them only isolation "runsc" is offered' either
check wanted  crun                         'isolation "runc" starts three times as slow, by runc itself' has crun
check wanted  'user namespaces'            'isolation "runc" is not offered' users
check wanted  'btrfs and loop devices'     'no disk quota, and slow snapshots: layers are plain directories' filesystem btrfs
check wanted  mkfs.btrfs                   './corral up installs it; as above' has mkfs.btrfs
check wanted  '1024 inotify instances'     'sandboxes share so many file watches; sysctl fs.inotify.max_user_instances=8192 gives more' watches
check wanted  '5 GiB free'                 'templates and layers need room' space
check build   'clang and ld.lld'           './corral up installs them; the guest is built with them' has ld.lld
check build   mmdebstrap                   './corral up installs it; templates are built with it' has mmdebstrap
check build   npm                          './corral up installs it; the bun template comes from there' has npm
exit $fatal
