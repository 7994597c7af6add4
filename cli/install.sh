# Sourced: installs what a command needs and the host lacks.

# need PROGRAM PACKAGE: installs Debian's PACKAGE unless PROGRAM is there.
need() {
    local program=$1 package=$2
    if command -v "$program" > /dev/null; then
        return
    fi
    if [ "$(id -u)" -ne 0 ]; then
        echo "$program is missing: install $package" >&2
        return 1
    fi
    echo "installing $package"
    if [ -z "${apt_updated:-}" ]; then
        apt-get update -qq
        apt_updated=yes
    fi
    # The package's own service is not wanted: Corral starts what it needs.
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" > /dev/null
}
