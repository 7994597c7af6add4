#!/usr/bin/env bash
# templates/build.sh DIR: builds the templates into DIR, each once for each content.
#
#   DIR/layers/<name>-<digest>/   a read-only overlay layer; the digest is of everything that it is made from
#   DIR/<name>.json               the manifest that the node-agent reads: name, digest, layers (lowest first), environment
#
# base is a Debian of its own; python and bun are layers on top of it.
set -euo pipefail
# Once more in mounts of its own: however a build ends, none of its mounts stays on the host.
[ "${2:-}" = --unshared ] || exec unshare --mount --propagation private bash "$0" "$1" --unshared
here=$(dirname "$(readlink -f "$0")")
target=$(realpath -m "$1")
suite=bookworm
path=/workspace/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p "$target/layers"
exec 9> "$target/.lock"
flock 9

# What a killed build left: only the lock's holder makes these. One with a mount in it, of a time when they were the host's, stays.
rm -rf --one-file-system "$target"/layers/.new-* || true
fresh=$(mktemp -d "$target/layers/.new-XXXXXX")
tidy() {
    mountpoint -q "$fresh/root" && umount -R "$fresh/root"
    rm -rf --one-file-system "$fresh"
}
trap tidy EXIT

packages() { grep -v '^#' "$here/$1/packages"; }

# digest PARENT FILE...: names a layer by its parent and by the text of what it is made from, this script included.
digest() {
    local parent=$1
    shift
    { echo "$parent $suite"; cat "$here/build.sh" "$@"; } | sha256sum | cut -c 1-16
}

# layer NAME DIGEST FUNCTION: makes the layer's directory with FUNCTION, unless it is there.
layer() {
    local name=$1 place=$target/layers/$1-$2 make=$3
    [ -d "$place" ] && return
    echo "template $name: building"
    rm -rf --one-file-system "$fresh/layer"
    mkdir "$fresh/layer"
    "$make" "$fresh/layer"
    # A layer that is there is taken for whole for ever, so it is on the disk before it has its name, and the name before a manifest has it.
    sync -f "$fresh/layer"
    mv "$fresh/layer" "$place"
    sync -f "$target/layers"
    echo "template $name: $(du -sm "$place" | cut -f 1) MiB"
}

# manifest NAME DIGEST ENVIRONMENT LAYER...
manifest() {
    local name=$1 digest=$2 environment=$3 list
    shift 3
    list=$(printf '"%s",' "$@")
    printf '{"name":"%s","digest":"%s","environment":%s,"layers":[%s]}\n' "$name" "$digest" "$environment" "${list%,}" > "$fresh/$name.json"
    cmp -s "$fresh/$name.json" "$target/$name.json" || mv "$fresh/$name.json" "$target/$name.json"
}

# Without manuals, but with their first section: packages that choose between alternatives, as Java's do, fail where it is not there.
base_layer() {
    mmdebstrap --quiet --mode=root --variant=minbase --aptopt='Acquire::Retries "5"' \
        --include="$(packages base | paste -sd ,)" \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --customize-hook='chroot "$1" useradd --uid 1000 --create-home --shell /bin/bash user' \
        --customize-hook='mkdir -p "$1/workspace" && chown 1000:1000 "$1/workspace"' \
        --customize-hook='mkdir -p "$1/usr/share/man/man1"' \
        --customize-hook='rm -f "$1/etc/hostname" "$1/etc/resolv.conf"' \
        "$suite" "$1"
    chmod 755 "$1"
}

# In a chroot on top of base: what it writes is the layer.
python_layer() {
    mkdir -p "$fresh/work" "$fresh/root"
    mount -t overlay overlay -o "lowerdir=$base,upperdir=$1,workdir=$fresh/work" "$fresh/root"
    mount --rbind --make-rslave /dev "$fresh/root/dev"
    mount -t proc proc "$fresh/root/proc"
    cp --remove-destination /etc/resolv.conf "$fresh/root/etc/resolv.conf"
    chroot "$fresh/root" /bin/sh -euc '
        export DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends '"$(packages python | paste -sd ' ')"' > /dev/null
        apt-get clean
        rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/*.log /var/log/apt
        # The sandbox is the environment that this marker asks people to make.
        rm -f /usr/lib/python3*/EXTERNALLY-MANAGED
        rm -f /etc/resolv.conf'
    umount -R "$fresh/root"
    rm -rf --one-file-system "$1/dev" "$1/proc" "$1/run" "$1/tmp" "$1/etc/resolv.conf"
}

bun_layer() {
    local architecture version
    case $(uname -m) in aarch64) architecture=aarch64 ;; *) architecture=x64 ;; esac
    version=$(cat "$here/bun/version")
    mkdir -p "$1/usr/local/bin" "$fresh/npm"
    (cd "$fresh/npm" && npm pack --silent "@oven/bun-linux-$architecture@$version" > /dev/null && tar -xzf ./*.tgz)
    install -m 755 "$fresh/npm/package/bin/bun" "$1/usr/local/bin/bun"
    ln -s bun "$1/usr/local/bin/bunx"
    ln -s bun "$1/usr/local/bin/node"
    find "$1" -type d -exec chmod 755 {} +
    rm -rf --one-file-system "$fresh/npm"
}

base_digest=$(digest none "$here/base/packages")
base=$target/layers/base-$base_digest
layer base "$base_digest" base_layer
manifest base "$base_digest" "{\"PATH\":\"$path\"}" "$base"

python_digest=$(digest "$base_digest" "$here/python/packages")
layer python "$python_digest" python_layer
manifest python "$python_digest" "{\"PATH\":\"$path\",\"PIP_DISABLE_PIP_VERSION_CHECK\":\"1\",\"PYTHONUNBUFFERED\":\"1\"}" "$base" "$target/layers/python-$python_digest"

bun_digest=$(digest "$base_digest" "$here/bun/version")
layer bun "$bun_digest" bun_layer
manifest bun "$bun_digest" "{\"PATH\":\"/workspace/.bun/bin:$path\",\"BUN_INSTALL\":\"/workspace/.bun\"}" "$base" "$target/layers/bun-$bun_digest"
