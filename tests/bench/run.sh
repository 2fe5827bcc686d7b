#!/bin/sh
# The same programs native, in a Linux guest on Holdover's engines, and in the same guest on qemu-system-i386 -accel tcg, in one run.
# Prints time over native for each, and geometric means by group. ENGINES="interpreter" picks engines; PROGRAMS=letters picks programs.
set -eu
cd "$(dirname "$0")/../.."
O=${O:-build}
work=$O/bench
mkdir -p "$work"
engines=${ENGINES:-translator interpreter}
flags="-O2 -fno-tree-vectorize -fno-tree-loop-distribute-patterns -ffreestanding -nostdlib -static -fno-pie -no-pie -fno-stack-protector
       -fno-builtin -fno-asynchronous-unwind-tables -mfpmath=387"
# shellcheck disable=SC2086
gcc $flags -o "$work/native" tests/bench/programs.c
mkdir -p "$work/guest"
# shellcheck disable=SC2086
gcc -m32 -march=pentium3 $flags -o "$work/guest/bench" tests/bench/programs.c
O=$O tests/guests/prepare.sh kernel-686
kernel=$O/guests/vmlinuz-686
EXTRA=$work/guest/bench scripts/initrd.sh "$work/initrd.gz" "$O"/guests/debs/busybox-static_*.deb "$O/guests/tree-686" tests/guests/init
append="console=ttyS0 quiet mitigations=off bench=${PROGRAMS:-}"

echo "native"
"$work/native" ${PROGRAMS:-} >"$work/native.txt"
for engine in $engines; do
    echo "holdover, $engine"
    start=$(date +%s)
    "$O/holdover" boot --headless --engine "$engine" --set cpu.model=pentium3 --kernel "$kernel" --initrd "$work/initrd.gz" \
        --append "$append" --serial "$work/$engine.txt" --until 'BENCH-END' --until 'SHELL READY' --for 1200 || true
    echo "  $(($(date +%s) - start)) s in all"
done
if command -v qemu-system-i386 >/dev/null; then
    echo "qemu-system-i386 -accel tcg"
    rm -f "$work/qemu.txt"
    timeout 600 qemu-system-i386 -accel tcg -cpu pentium3 -m 128 -kernel "$kernel" -initrd "$work/initrd.gz" -append "$append" \
        -display none -net none -monitor none -serial "file:$work/qemu.txt" &
    qemu=$!
    waited=0
    while ! grep -q 'SHELL READY' "$work/qemu.txt" 2>/dev/null && [ $waited -lt 600 ] && kill -0 $qemu 2>/dev/null; do
        sleep 1
        waited=$((waited + 1))
    done
    kill $qemu 2>/dev/null || true
    wait $qemu 2>/dev/null || true
    engines="$engines qemu"
fi

# shellcheck disable=SC2086
awk -v engines="$engines" '
BEGIN {
    split("sha256 qsort tree lz calls indirect", g1); split("copy chase", g2); split("matrix transcendental nbody", g3)
    split("rewrite", g4); split("syscalls pipes forks execs faults", g5)
    for (i in g1) group[g1[i]] = "integer"; for (i in g2) group[g2[i]] = "memory"; for (i in g3) group[g3[i]] = "x87"
    for (i in g4) group[g4[i]] = "rewritten"; for (i in g5) group[g5[i]] = "kernel"
    count = split(engines, engine)
}
{ sub(/\r$/, "") }
$1 == "BENCH" {
    who = FILENAME; sub(/.*\//, "", who); sub(/\.txt$/, "", who)
    time[who, $2] = $3 * 4294967296 + $4; sum[who, $2] = $5
    if (who == "native") names[++n] = $2
}
END {
    printf "%-16s %14s", "program", "native ns"
    for (e = 1; e <= count; e++) printf " %14s", engine[e]
    printf "   (time over native)\n"
    for (i = 1; i <= n; i++) {
        name = names[i]
        printf "%-16s %14.1f", name, time["native", name] / 10
        for (e = 1; e <= count; e++) {
            if (!((engine[e], name) in time)) { printf " %14s", "-"; continue }
            ratio = time[engine[e], name] / time["native", name]
            printf " %14.2f", ratio
            logs[engine[e], group[name]] += log(ratio); counted[engine[e], group[name]]++
            if (sum[engine[e], name] != sum["native", name]) wrong = wrong " " engine[e] ":" name
        }
        print ""
    }
    groups = split("integer memory x87 rewritten kernel", order)
    for (g = 1; g <= groups; g++) {
        printf "%-31s", "geometric mean, " order[g]
        for (e = 1; e <= count; e++) {
            k = counted[engine[e], order[g]]
            if (k) printf " %14.2f", exp(logs[engine[e], order[g]] / k); else printf " %14s", "-"
        }
        print ""
    }
    if (wrong) { print "results differ from native:" wrong; exit 1 }
}' "$work/native.txt" $(for e in $engines; do echo "$work/$e.txt"; done)
