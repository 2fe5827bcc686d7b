#!/bin/sh
# DOS programs in real mode (tests/bench/dos.asm) under FreeDOS, on Holdover's engines and on qemu-system-i386 -accel tcg, in one run:
# units of work a second, and how many times that is QEMU's. ENGINES="translator" picks engines.
set -eu
cd "$(dirname "$0")/../.."
O=${O:-build}
work=$O/bench
floppy=../shared/corpus/freedos/freedos-boot-1440.img
engines=${ENGINES:-translator interpreter}
[ -e $floppy ] || { echo "SKIP bench-dos: $floppy is absent"; exit 0; }
mkdir -p "$work"
nasm -f bin -o "$work/dos.com" tests/bench/dos.asm
cp $floppy "$work/dos.img"
chmod u+w "$work/dos.img"
export MTOOLS_SKIP_CHECK=1
mcopy -o -i "$work/dos.img" "$work/dos.com" ::BENCH.COM
printf 'bench\r\n' | mcopy -o -i "$work/dos.img" - ::AUTOEXEC.BAT

for engine in $engines; do
    "$O/holdover" boot --headless --engine "$engine" --set cpu.model=pentium3 --floppy "$work/dos.img" --serial "$work/dos-$engine.txt" \
        --stats "$work/dos-$engine.json" --until 'DOS-END' --for 300
done
rm -f "$work/dos-qemu.txt"
if command -v qemu-system-i386 >/dev/null; then
    qemu-system-i386 -accel tcg -cpu pentium3 -m 128 -drive "file=$work/dos.img,format=raw,if=floppy,snapshot=on" -boot a -display none \
        -net none -monitor none -serial "file:$work/dos-qemu.txt" &
    qemu=$!
    waited=0
    while ! grep -q 'DOS-END' "$work/dos-qemu.txt" 2>/dev/null && [ $waited -lt 300 ]; do
        sleep 1
        waited=$((waited + 1))
    done
    kill $qemu
    wait $qemu 2>/dev/null || true
    engines="$engines qemu"
fi
# shellcheck disable=SC2086
awk -v engines="$engines" '
$1 == "DOS" {
    who = FILENAME; sub(/.*\/dos-/, "", who); sub(/\.txt$/, "", who)
    if (!($2 in sum)) { names[++n] = $2; sum[$2] = $5 } else if (sum[$2] != $5) wrong = wrong " " who ":" $2
    rate[who, $2] = $3 / $4 * 18.2065
}
END {
    count = split(engines, engine)
    printf "%-16s", "units a second"
    for (e = 1; e <= count; e++) printf " %12s", engine[e]
    for (e = 1; e < count; e++) printf " %12s", substr(engine[e], 1, 6) "/qemu"
    print ""
    for (i = 1; i <= n; i++) {
        printf "%-16s", names[i]
        for (e = 1; e <= count; e++) printf " %12.0f", rate[engine[e], names[i]]
        for (e = 1; e < count && rate["qemu", names[i]]; e++) {
            ratio = rate[engine[e], names[i]] / rate["qemu", names[i]]
            printf " %12.2f", ratio
            if (ratio) logs[e] += log(ratio)
        }
        print ""
    }
    printf "%-16s", "geometric mean"
    for (e = 1; e <= count; e++) printf " %12s", ""
    for (e = 1; e < count && n; e++) printf " %12.2f", exp(logs[e] / n)
    print ""
    if (!n) { print "nothing was measured"; exit 1 }
    if (wrong) { print "results differ:" wrong; exit 1 }
}' $(for e in $engines; do echo "$work/dos-$e.txt"; done)
