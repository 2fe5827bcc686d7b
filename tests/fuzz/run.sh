#!/bin/sh
# Builds the fuzz targets with clang, replays the kept inputs (tests/fuzz/corpus) and runs each target for FUZZ_SECONDS, two at a time.
# Inputs that crash, hang or grow are left in $O/found; what was learned stays in $O/corpus for the next time. A target is a program, or
# PROGRAM:DEVICE, of which the inputs are about that device alone; FUZZ_TARGETS picks some, or is `devices`.
set -u
cd "$(dirname "$0")/../.." || exit 1
O=${O:-build/fuzz}
devices="fuzz_net:pcnet fuzz_net:pcnet-fast fuzz_net:ne2000 fuzz_net:rtl8029 fuzz_net:rtl8139 fuzz_net:dec21140 fuzz_net:e1000
    fuzz_net:i82543gc fuzz_drives:am53c974 fuzz_drives:lsi53c895a fuzz_drives:lsi53c810 fuzz_drives:buslogic fuzz_drives:ide
    fuzz_drives:floppy fuzz_ports:ns16550a fuzz_ports:pc87332_lpt fuzz_ports:vmport fuzz_cue"
command -v clang >/dev/null || { echo "SKIP fuzz: clang is not installed"; exit 0; }
make --no-print-directory CC=clang O="$O" SAN=address,undefined,fuzzer-no-link -j"$(nproc)" fuzzers || exit 1
mkdir -p "$O/found" "$O/corpus"

program() {             # target input-or-option...
    program=$O/tests/fuzz/${1%:*}
    [ "${1#*:}" = "$1" ] || export FUZZ_DEVICE="${1#*:}"
    shift
    "$program" -timeout=20 -rss_limit_mb=1500 -verbosity=0 -print_funcs=0 "$@"
}

fuzz() {                # target
    name=${1#*:} kept= dictionary=
    [ ! -d "$O/kept/$name" ] || kept=$O/kept/$name
    [ ! -e "tests/fuzz/$name.dict" ] || dictionary=-dict=tests/fuzz/$name.dict
    if mkdir "$O/corpus/$name" 2>/dev/null && [ -z "$kept" ]; then  # noise to begin with: from nothing it takes long to get anywhere
        for seed in $(seq 100); do head -c 700 /dev/urandom >"$O/corpus/$name/seed-$seed"; done
    fi
    if (program "$1" -max_total_time="${FUZZ_SECONDS:-15}" -len_control=0 -max_len="${FUZZ_LENGTH:-4096}" -print_final_stats=1 \
        -artifact_prefix="$O/found/$name-" $dictionary "$O/corpus/$name" $kept) >"$O/found/$name.txt" 2>&1; then
        echo "ok   $1: $(sed -n 's/^stat::number_of_executed_units: *//p' "$O/found/$name.txt") inputs"
        return 0
    fi
    echo "FAIL $1: see $O/found/$name.txt"
    tail -n 40 "$O/found/$name.txt"
    return 1
}

failed=0
for target in $devices; do                      # the kept inputs: a file a device, a line an input
    name=${target#*:}
    [ -e "tests/fuzz/corpus/$name.hex" ] || continue
    python3 tests/fuzz/unpack.py "tests/fuzz/corpus/$name.hex" "$O/kept/$name"
    (program "$target" "$O/kept/$name"/*) >"$O/found/$name.txt" 2>&1 || {
        echo "FAIL $target: a kept input"
        tail -n 40 "$O/found/$name.txt"
        failed=1
    }
done
[ "${FUZZ_TARGETS:-}" != devices ] || FUZZ_TARGETS=$devices FUZZ_LENGTH=${FUZZ_LENGTH:-1024}
# shellcheck disable=SC2086
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
