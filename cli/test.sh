#!/usr/bin/env bash
# Builds everything and runs the test suites, one after another. Each has a time limit; one that hangs or breaks fails the run.
set -euo pipefail
source cli/install.sh

# From the cheapest to the most expensive: what is broken below breaks everything above.
all=(contract scheduler sessions gateway guest egress termination cli node clients fault e2e security)
limit=900
# Many more lives take their time: a thousand, eleven minutes of their own.
[ -z "${CORRAL_SOAK:-}" ] || limit=3600
suites=("$@")
[ ${#suites[@]} -gt 0 ] || suites=("${all[@]}")

if [ "$(id -u)" -eq 0 ]; then
    need_host
    need_build
    need_tests
fi
mkdir -p artifacts/tests
cli/build.sh all
export CORRAL_TEST_GUEST=$PWD/artifacts/guest/corral-guest CORRAL_TEMPLATES=${CORRAL_TEMPLATES:-${CORRAL_HOME:-/var/lib/corral}/templates}

# named LOG: the method that each "[FAIL]" names: "A.B+C.Method<Int32>(x: 1) [FAIL]".
named() { sed -nE 's/^ *([A-Za-z0-9_.+]+)(<.*>)?(\(.*\))? \[FAIL\]$/\1/p' "$1"; }

# failures LOG: the methods that failed, each once.
failures() { named "$1" | sort -u; }

# rerun SUITE PROGRAM: whether the few that failed pass alone. Some share the processors with hundreds of sandboxes; but each is told.
rerun() {
    local methods=() method
    # One that is not named would not be run again, and would pass with the others.
    [ "$(grep -c '\[FAIL\]' "artifacts/tests/$1.log")" -eq "$(named "artifacts/tests/$1.log" | wc -l)" ] || return 1
    while read -r method; do methods+=(-method "$method"); done < <(failures "artifacts/tests/$1.log")
    [ "${#methods[@]}" -gt 0 ] && [ "${#methods[@]}" -le 6 ] || return 1
    timeout --kill-after=10 "$limit" "$2" -noColor -noLogo "${methods[@]}" > "artifacts/tests/$1.again.log" 2>&1 || return 1
    failures "artifacts/tests/$1.log" | sed "s/^/$1: passed only when run again: /"
    grep -A 6 -E '\[FAIL\]' "artifacts/tests/$1.log" | cut -c -300 || true
}

passed=0 failed=0 broken=()
for suite in "${suites[@]}"; do
    project=$(echo tests/"$suite"/*.csproj)
    [ -f "$project" ] || { echo "there is no suite '$suite'; there are: ${all[*]}" >&2; exit 2; }
    name=$(basename "$project" .csproj)
    log=artifacts/tests/$suite.log
    code=0
    program=artifacts/bin/$name/release/$name
    timeout --kill-after=10 "$limit" "$program" -noColor -noLogo > "$log" 2>&1 || code=$?
    # "   Corral.X.Tests  Total: 36, Errors: 0, Failed: 1, Skipped: 0, Not Run: 0, Time: 1.7s"
    read -r total errors fails skipped < <(sed -nE 's/.*Total: ([0-9]+), Errors: ([0-9]+), Failed: ([0-9]+), Skipped: ([0-9]+).*/\1 \2 \3 \4/p' "$log" | tail -n 1) || true
    bad=$(( ${errors:-0} + ${fails:-0} ))
    # Failed tests only: what could not be set up or cleaned away stays a failure.
    if [ "${fails:-0}" -gt 0 ] && [ "${errors:-0}" -eq 0 ] && [ "$code" -ne 124 ] && rerun "$suite" "$program"; then
        bad=0 fails=0 code=0
    fi
    # A suite that ended badly without saying so has failed all the same.
    [ "$code" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
    [ -n "${total:-}" ] || bad=1
    # A skipped test is one that this host could not run: in CI that is a failure.
    [ "${CI:-}" != true ] || bad=$(( bad + ${skipped:-0} ))
    good=$(( ${total:-0} - ${errors:-0} - ${fails:-0} - ${skipped:-0} ))
    [ "$good" -ge 0 ] || good=0
    passed=$(( passed + good )) failed=$(( failed + bad ))
    [ "$bad" -eq 0 ] || broken+=("$suite")
    echo "$suite: $good passed, $bad failed"
    unset total errors fails skipped
done

for suite in ${broken[@]+"${broken[@]}"}; do
    echo "--- $suite"
    # What failed, each with its first lines; then how it ended.
    grep -A 15 -E '\[FAIL\]' "artifacts/tests/$suite.log" | cut -c -300 | head -n 200 || true
    grep -v '^{' "artifacts/tests/$suite.log" | tail -n 20
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
