#!/bin/sh
# Reads a disk of 256 MiB with DMA in a Linux guest: raw and imported (compressed), on Holdover and on qemu-system-i386 -accel tcg, in one
# run. Prints MB/s by the guest's clock. The data are the build's own objects.
set -eu
cd "$(dirname "$0")/../.."
O=${O:-build}
work=$O/bench
size=268435456
mkdir -p "$work"
O=$O tests/guests/prepare.sh kernel-686
kernel=$O/guests/vmlinuz-686
scripts/initrd.sh "$work/disk-initrd.gz" "$O"/guests/debs/busybox-static_*.deb "$O/guests/tree-686" tests/guests/init ata_piix sd_mod
append="console=ttyS0 quiet mitigations=off diskbench"
while cat "$O"/*.a "$O/holdover"; do :; done 2>/dev/null | head -c $size >"$work/disk.raw"
export HOLDOVER_HOME="$work/disk-home"
rm -rf "$HOLDOVER_HOME"
"$O/holdover" import "$work/disk.raw" --name disk --no-inspect >/dev/null

speed() {               # label, serial log
    awk -v label="$1" -v size=$size '/^real/ { m = $2 + 0; s = $3 + 0; printf "%-36s %6.0f MB/s\n", label, size / 1e6 / (m * 60 + s) }' "$2"
}
for image in "$work/disk.raw" "$HOLDOVER_HOME/disk/disk0.qcow2"; do
    format=${image##*.}
    "$O/holdover" boot --headless --memory 512M --kernel "$kernel" --initrd "$work/disk-initrd.gz" --append "$append" --disk "$image" \
        --serial "$work/disk.txt" --until 'DISK END' --for 200
    speed "holdover, $format" "$work/disk.txt"
    command -v qemu-system-i386 >/dev/null || continue
    rm -f "$work/disk-qemu.txt"
    qemu-system-i386 -accel tcg -cpu pentium3 -m 512 -kernel "$kernel" -initrd "$work/disk-initrd.gz" -append "$append" -display none -net none \
        -monitor none -drive "file=$image,format=$format,if=ide,snapshot=on" -serial "file:$work/disk-qemu.txt" &
    qemu=$!
    waited=0
    while ! grep -q 'DISK END' "$work/disk-qemu.txt" 2>/dev/null && [ $waited -lt 200 ]; do
        sleep 1
        waited=$((waited + 1))
    done
    kill $qemu
    wait $qemu 2>/dev/null || true
    speed "qemu-system-i386 -accel tcg, $format" "$work/disk-qemu.txt"
done
rm -rf "$HOLDOVER_HOME" "$work/disk.raw"
