#!/usr/bin/env bash
# ./corral bench NAME [COUNT [WHAT,...]]: measures beside peers, in one run.
set -euo pipefail
source cli/install.sh
need_host
need_build
case ${1:-} in
    lifecycle) need dockerd docker.io; need docker docker.io ;;
    api) need wrk wrk ;;
    egress)
        need wrk wrk
        need h2load nghttp2-client
        need haproxy haproxy
        need nginx nginx
        need mitmdump mitmproxy
        need iperf3 iperf3
        [ -e /usr/lib/nginx/modules/ngx_stream_module.so ] || apt_install libnginx-mod-stream
        ;;
esac
cli/build.sh all
exec artifacts/bin/Corral.Bench/release/Corral.Bench "$@"
