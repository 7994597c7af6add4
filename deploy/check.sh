#!/usr/bin/env bash
# deploy/check.sh: builds the images, brings docker-compose.yml up, lives one sandbox on each runtime through it, restarts the node under a
# running sandbox, and takes everything down. Needs Docker with compose, root, and ports 8080 and 8081. What is kept stays in /var/lib/corral.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
api=http://127.0.0.1:8080/v1/sandboxes

fail() {
    echo "failed: $*" >&2
    docker compose logs --tail 20 >&2
    exit 1
}

post() { curl -sS --max-time 60 --config <(printf 'header = "Authorization: Bearer %s"\n' "$(cat /var/lib/corral/bootstrap.key)") "$@"; }

# Tried again, it is the same create.
launch() { post --fail "$api/launch" -H "Idempotency-Key: check-$$-$1" -d "{\"runtime\":\"python\",\"isolation\":\"$1\"}" | grep -oE 'sbx-[a-z0-9]+' | head -n 1; }

# answers ID: whether the sandbox runs a command.
answers() { post "$api/exec" -d "{\"id\":\"$1\",\"command\":\"python3 -c 'print(6*7)'\"}" | grep -q '"stdout":"42\\n"'; }

# On cgroup v1 Docker ends sandboxes with the container that started them.
is_lost() { post "$api?id=$1" | grep -q 'no longer has the sandbox'; }

wait_for() {
    local what=$1 until=$((SECONDS + 120))
    shift
    while [ "$SECONDS" -lt "$until" ]; do
        "$@" 2> /dev/null && return
        sleep 1
    done
    fail "$what"
}

# Each step, whatever became of those before.
take_down() {
    docker compose stop node || true
    docker compose run --rm --no-deps node down || true
    docker compose down
}
trap take_down EXIT
docker compose up --build --detach
wait_for 'the gateway is not ready' curl -sf -o /dev/null http://127.0.0.1:8080/health/ready
for isolation in runc runsc; do
    wait_for "no sandbox on $isolation" eval "id=\$(launch $isolation)"
    answers "$id" || fail "sandbox $id on $isolation does not run commands"
    docker compose restart node
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        wait_for "sandbox $id did not outlive its node" answers "$id"
        post -X DELETE "$api?id=$id" | grep -q '"ok":true' || fail "sandbox $id could not be ended"
        echo "passed: create, exec, restart of the node, end ($isolation)"
    else
        wait_for "sandbox $id is not told as lost" is_lost "$id"
        echo "passed: create, exec, restart of the node, told as lost ($isolation)"
    fi
done
