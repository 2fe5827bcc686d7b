#!/bin/sh
# Runs the Criterion programs given as arguments, then the single-step captures, and closes with one line:
# "N passed, N failed, N skipped". A test that skips prints "SKIP name: reason" and must be listed in tests/skips.allowed when
# CI is set.
set -u
cd "$(dirname "$0")/.." || exit 1
O=${O:-build}
passed=0; failed=0; skipped=0
log=$O/tests/log; mkdir -p "$log"

for program in "$@"; do
    name=$(basename "$program")
    "$program" -j2 --timeout 300 >"$log/$name.txt" 2>&1
    status=$?
    line=$(grep 'Synthesis:' "$log/$name.txt" | tail -n 1)
    counts=$(printf '%s' "$line" | sed -E 's/\x1b\[[0-9;]*m//g; s/[^0-9|]+/ /g; s/\|/ /g')
    # shellcheck disable=SC2086
    set -- $counts
    tested=${1:-0}; good=${2:-0}
    bad=$((tested - good))
    [ "$status" = 0 ] || [ "$bad" != 0 ] || bad=1
    if [ "$bad" != 0 ]; then
        grep -vE '^SKIP ' "$log/$name.txt" | tail -n 40
    fi
    echo "$name: $good passed, $bad failed"
    passed=$((passed + good)); failed=$((failed + bad))
done

sst=../shared/corpus/sst-80286
if [ -d "$sst" ]; then
    if "$O/tests/sst" "$sst" >"$log/sst.txt" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1)); tail -n 40 "$log/sst.txt"
    fi
    tail -n 1 "$log/sst.txt"
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
