#!/bin/sh
# Reads a SCSI disk of 256 MiB with DMA in a Linux guest, on each adapter, on Holdover and on qemu-system-i386 -accel tcg with its model of
# the same adapter, in one run. Prints MB/s by the guest's clock. CARDS="..." picks some.
set -eu
cd "$(dirname "$0")/../.."
O=${O:-build}
work=$O/bench
size=268435456
mkdir -p "$work"
O=$O tests/guests/prepare.sh kernel-686
kernel=$O/guests/vmlinuz-686
scripts/initrd.sh "$work/scsi-initrd.gz" "$O"/guests/debs/busybox-static_*.deb "$O/guests/tree-686" tests/guests/init sd_mod am53c974 sym53c8xx BusLogic
append="console=ttyS0 quiet mitigations=off diskbench"
while cat "$O"/*.a "$O/holdover"; do :; done 2>/dev/null | head -c $size >"$work/scsi.raw"

speed() {               # label, serial log
    awk -v label="$1" -v size=$size '/^real/ { m = $2 + 0; s = $3 + 0; printf "%-40s %6.0f MB/s\n", label, size / 1e6 / (m * 60 + s) }' "$2"
}
for card in ${CARDS:-am53c974 lsi53c895a}; do
    "$O/holdover" boot --headless --memory 512M --kernel "$kernel" --initrd "$work/scsi-initrd.gz" --append "$append" --disk "$work/scsi.raw" \
        --set disk0.bus=scsi --set scsi.card=$card --serial "$work/scsi.txt" --until 'DISK END' --for 200
    speed "holdover, $card" "$work/scsi.txt"
    command -v qemu-system-i386 >/dev/null && qemu-system-i386 -device help | grep -q "\"$card\"" || continue
    rm -f "$work/scsi-qemu.txt"
    qemu-system-i386 -accel tcg -cpu pentium3 -m 512 -kernel "$kernel" -initrd "$work/scsi-initrd.gz" -append "$append" -display none -net none \
        -monitor none -device "$card,id=hba" -drive "file=$work/scsi.raw,format=raw,if=none,id=d,snapshot=on" -device scsi-hd,drive=d,bus=hba.0 \
        -serial "file:$work/scsi-qemu.txt" &
    qemu=$!
    waited=0
    while ! grep -q 'DISK END' "$work/scsi-qemu.txt" 2>/dev/null && [ $waited -lt 200 ]; do
        sleep 1
        waited=$((waited + 1))
    done
    kill $qemu
    wait $qemu 2>/dev/null || true
    speed "qemu-system-i386 -accel tcg, $card" "$work/scsi-qemu.txt"
done
rm -f "$work/scsi.raw"
