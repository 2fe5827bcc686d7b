#!/bin/sh
# Imports (read, SHA-256, MD5, the list of MiBs, deflate, write, hash of the image) beside `qemu-img convert -c` (deflate and write), of a
# full disk of 256 MiB and of a sparse one of 4 GiB with the same data. Prints MB/s of the disk's length, the ratio, and our memory.
# The data are the build's own objects. It fails when the full disk's ratio is below 3.
set -eu
cd "$(dirname "$0")/../.."
O=${O:-build}
work=$O/bench
size=268435456
mkdir -p "$work"
command -v qemu-img >/dev/null || { echo "SKIP bench-import: qemu-img is not installed"; exit 0; }
while cat "$O"/*.a "$O/holdover"; do :; done 2>/dev/null | head -c $size >"$work/full.raw"
rm -f "$work/sparse.raw"
truncate -s 4G "$work/sparse.raw"
dd if="$work/full.raw" of="$work/sparse.raw" bs=1M seek=1500 conv=notrunc status=none
export HOLDOVER_HOME="$work/import-home"

seconds() {             # command...: its time, best of three
    best=
    for round in 1 2 3; do
        rm -rf "$HOLDOVER_HOME" "$work/peer.qcow2"
        begun=$(date +%s%N)
        "$@" >/dev/null
        taken=$(($(date +%s%N) - begun))
        if [ -z "$best" ] || [ $taken -lt "$best" ]; then best=$taken; fi
    done
    echo $best
}
memory() {              # the most that an import holds, in KiB, looked at ten times a second
    rm -rf "$HOLDOVER_HOME"
    "$O/holdover" import "$1" --name bench --no-inspect >/dev/null &
    most=0
    while now=$(sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB/\1/p' /proc/$!/status 2>/dev/null) && [ -n "$now" ]; do
        most=$now
        sleep 0.1
    done
    wait $!
    echo "$most"
}
failed=0
for disk in full sparse; do
    ours=$(seconds "$O/holdover" import "$work/$disk.raw" --name bench --no-inspect)
    peer=$(seconds qemu-img convert -c -O qcow2 "$work/$disk.raw" "$work/peer.qcow2")
    "$O/holdover" import "$work/$disk.raw" --name bench --no-inspect >/dev/null
    qemu-img compare -q "$work/$disk.raw" "$HOLDOVER_HOME/bench/disk0.qcow2"
    stored=$(stat -c %s "$HOLDOVER_HOME/bench/disk0.qcow2")
    awk -v disk=$disk -v bytes="$(stat -c %s "$work/$disk.raw")" -v ours="$ours" -v peer="$peer" -v mine="$stored" \
        -v theirs="$(stat -c %s "$work/peer.qcow2")" -v kib="$(memory "$work/$disk.raw")" 'BEGIN {
        printf "%-7s holdover %5.0f MB/s, qemu-img -c %5.0f MB/s, ratio %.1f; size of the image %.2f of its; %d MiB of memory\n", disk,
            bytes * 1e3 / ours, bytes * 1e3 / peer, peer / ours, mine / theirs, kib / 1024
        exit kib > 200 * 1024 }' || failed=1
done
rm -f "$work/full.raw" "$work/sparse.raw" "$work/peer.qcow2"
exit $failed
