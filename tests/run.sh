#!/bin/sh
# Runs the Criterion programs given as arguments, then the single-step captures, and closes with one line:
# "N passed, N failed, N skipped". A test that skips prints "SKIP name: reason" and must be listed in tests/skips.allowed when
# CI is set.
set -u
cd "$(dirname "$0")/.." || exit 1
O=${O:-build}
export LSAN_OPTIONS="suppressions=$PWD/tests/leaks.allowed:print_suppressions=0"
passed=0; failed=0; skipped=0
log=$O/tests/log; mkdir -p "$log"

suite() {               # program label
    "$1" -j2 --timeout 300 >"$log/$2.txt" 2>&1
    status=$?
    line=$(grep 'Synthesis:' "$log/$2.txt" | tail -n 1)
    counts=$(printf '%s' "$line" | sed -E 's/\x1b\[[0-9;]*m//g; s/[^0-9|]+/ /g; s/\|/ /g')
    label=$2
    # shellcheck disable=SC2086
    set -- $counts
    tested=${1:-0}; good=${2:-0}
    bad=$((tested - good))
    [ "$status" = 0 ] || [ "$bad" != 0 ] || bad=1
    if [ "$bad" != 0 ]; then
        grep -vE '^SKIP ' "$log/$label.txt" | tail -n 40
    fi
    echo "$label: $good passed, $bad failed"
    passed=$((passed + good)); failed=$((failed + bad))
}

captures() {            # label
    if "$O/tests/sst" "$sst" >"$log/$1.txt" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1)); tail -n 40 "$log/$1.txt"
    fi
    echo "$1: $(tail -n 1 "$log/$1.txt")"
}

# What tests the CPU runs on both engines.
sst=../shared/corpus/sst-80286
engines="interpreter translator"
for program in "$@"; do
    case $program in
    *cpu-suite) for engine in $engines windows; do HOLDOVER_TEST_ENGINE=$engine; export HOLDOVER_TEST_ENGINE; suite "$program" "cpu-suite-$engine"; done
        unset HOLDOVER_TEST_ENGINE ;;
    *) suite "$program" "$(basename "$program")" ;;
    esac
done
if [ -d "$sst" ]; then
    for engine in $engines; do HOLDOVER_TEST_ENGINE=$engine; export HOLDOVER_TEST_ENGINE; captures "sst-$engine"; done
    unset HOLDOVER_TEST_ENGINE
else
    echo "SKIP sst-80286: ../shared/corpus/sst-80286 is absent" | tee "$log/sst.txt"
fi

grep -h '^SKIP ' "$log"/*.txt | sort -u >"$log/skips"
while read -r _ name reason; do
    skipped=$((skipped + 1))
    echo "skipped $name $reason"
    if [ -n "${CI:-}" ] && ! grep -q "^${name%:}[: ]" tests/skips.allowed; then
        echo "  not listed in tests/skips.allowed"
        failed=$((failed + 1))
    fi
done <"$log/skips"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
