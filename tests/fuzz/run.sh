#!/bin/sh
# Builds the fuzz targets with clang and runs each for FUZZ_SECONDS, two at a time. Inputs that crash, hang or grow are left in $O/found;
# what was learned stays in $O/corpus for the next time.
set -u
cd "$(dirname "$0")/../.." || exit 1
O=${O:-build/fuzz}
command -v clang >/dev/null || { echo "SKIP fuzz: clang is not installed"; exit 0; }
make --no-print-directory CC=clang O="$O" SAN=address,undefined,fuzzer-no-link -j"$(nproc)" fuzzers || exit 1
mkdir -p "$O/found" "$O/corpus"

fuzz() {                # target
    if mkdir "$O/corpus/$1" 2>/dev/null; then  # noise to begin with: from nothing it takes long to get anywhere
        for seed in $(seq 100); do head -c 700 /dev/urandom >"$O/corpus/$1/seed-$seed"; done
    fi
    if "$O/tests/fuzz/$1" -max_total_time="${FUZZ_SECONDS:-15}" -len_control=0 -timeout=20 -rss_limit_mb=1500 -max_len=4096 -verbosity=0 -print_funcs=0 \
        -print_final_stats=1 -artifact_prefix="$O/found/$1-" "$O/corpus/$1" >"$O/found/$1.txt" 2>&1; then
        echo "ok   $1: $(sed -n 's/^stat::number_of_executed_units: *//p' "$O/found/$1.txt") inputs"
        return 0
    fi
    echo "FAIL $1: see $O/found/$1.txt"
    tail -n 40 "$O/found/$1.txt"
    return 1
}

failed=0
set -- ${FUZZ_TARGETS:-$(ls tests/fuzz/fuzz_*.c | sed 's,.*/,,; s/\.c$//')}
while [ $# -gt 0 ]; do
    fuzz "$1" & first=$!
    if [ $# -gt 1 ]; then
        shift
        fuzz "$1" || failed=1
    fi
    shift
    wait $first || failed=1
done
exit $failed
