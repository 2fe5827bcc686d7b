#!/bin/sh
# How long until a system is there, on Holdover's translator and on qemu-system-i386 -accel tcg, in one run and by the host's clock: a boot
# sector (what the firmware waits for by itself), FreeDOS to its prompt, Debian's 686 kernel to a shell. Best of RUNS (3).
# Then what Holdover's process took beyond the guest's RAM, after a Linux that has run many programs.
set -eu
cd "$(dirname "$0")/../.."
O=${O:-build}
work=$O/bench
floppy=../shared/corpus/freedos/freedos-boot-1440.img
runs=${RUNS:-3}
mkdir -p "$work"
O=$O tests/guests/prepare.sh kernel-686
kernel=$O/guests/vmlinuz-686
initrd=$O/guests/initrd-686.gz
append="console=ttyS0 quiet mitigations=off"

# a boot sector that says READY on the first serial line
printf 'bits 16\norg 7c00h\nxor ax,ax\nmov ds,ax\nmov ax,0e3h\nxor dx,dx\nint 14h\nmov si,t\ncld\nn: lodsb\ntest al,al\njz e\nmov ah,al\nmov dx,3fdh\nw: in al,dx\ntest al,20h\njz w\nmov al,ah\nmov dx,3f8h\nout dx,al\njmp n
e: hlt\njmp e\nt: db "READY",10,0\ntimes 510-($-$$) db 0\ndw 0aa55h\n' >"$work/sector.asm"
nasm -f bin -o "$work/sector.img" "$work/sector.asm"
truncate -s 1474560 "$work/sector.img"
systems="sector linux"
if [ -e $floppy ]; then
    systems="sector freedos linux"
    cp $floppy "$work/freedos.img"
    chmod u+w "$work/freedos.img"
    printf 'echo READY >COM1\r\n' | MTOOLS_SKIP_CHECK=1 mcopy -o -i "$work/freedos.img" - ::AUTOEXEC.BAT
fi

now() { date +%s%N; }
holdover() {            # system -> nanoseconds
    start=$(now)
    case $1 in
    linux) set -- --kernel "$kernel" --initrd "$initrd" --append "$append" --until 'SHELL READY' ;;
    *) set -- --floppy "$work/$1.img" --until READY ;;
    esac
    "$O/holdover" boot --headless --set cpu.model=pentium3 --serial "$work/boot.txt" --for 90 "$@" || exit 1
    echo $(($(now) - start))
}
qemu() {
    text=READY
    rm -f "$work/boot.txt"
    start=$(now)
    case $1 in
    linux) set -- -kernel "$kernel" -initrd "$initrd" -append "$append"; text='SHELL READY' ;;
    *) set -- -drive "file=$work/$1.img,format=raw,if=floppy,snapshot=on" -boot a ;;
    esac
    qemu-system-i386 -accel tcg -cpu pentium3 -m 128 -display none -net none -monitor none -serial "file:$work/boot.txt" "$@" 2>/dev/null &
    qemu=$!
    while ! grep -q "$text" "$work/boot.txt" 2>/dev/null && kill -0 $qemu 2>/dev/null; do
        sleep 0.02
    done
    echo $(($(now) - start))
    kill $qemu
    wait $qemu 2>/dev/null || true
}
peers=holdover
command -v qemu-system-i386 >/dev/null && peers="holdover qemu"
: >"$work/boot-times.txt"
for run in $(seq "$runs"); do
    for system in $systems; do
        for peer in $peers; do
            took=$($peer "$system")
            echo "$peer $system $took" >>"$work/boot-times.txt"
        done
    done
done
awk '
{ if (!(($1, $2) in best) || $3 < best[$1, $2]) best[$1, $2] = $3; seen[$2] = 1 }
function line(label, h, q) {
    printf "%-34s %9.2f s", label, h / 1e9
    if (q) printf " %9.2f s   holdover/qemu %.2f", q / 1e9, h / q
    print ""
}
END {
    printf "%-34s %11s %11s\n", "seconds, best of the runs", "holdover", "qemu"
    line("firmware to a boot sector", best["holdover", "sector"], best["qemu", "sector"])
    if (seen["freedos"]) {
        line("FreeDOS to its prompt", best["holdover", "freedos"], best["qemu", "freedos"])
        line("  beyond the firmware", best["holdover", "freedos"] - best["holdover", "sector"], best["qemu", "freedos"] ? best["qemu", "freedos"] - best["qemu", "sector"] : 0)
    }
    line("Debian 686 kernel to a shell", best["holdover", "linux"], best["qemu", "linux"])
}' "$work/boot-times.txt"

# many programs, many times over: code of many pages and address spaces
cat >"$work/many-init" <<'INIT'
#!/bin/sh
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
b=/bin/busybox
for round in 1 2 3; do
    for applet in $($b --list); do $b $applet --help >/dev/null 2>&1; done
    $b seq 20000 | $b sort -r | $b gzip -9 | $b zcat | $b awk '{ s += $1 * $1 } END { print s }'
    $b find / -xdev -type f -size -400 | $b xargs $b cat 2>/dev/null | $b sha256sum
    $b dd if=/bin/busybox 2>/dev/null | $b bzip2 | $b bunzip2 | $b md5sum
    $b tar -cf - /bin /modules | $b xz -c 2>/dev/null | $b wc -c
done
echo "MANY END"
exec sh
INIT
scripts/initrd.sh "$work/many.gz" "$O"/guests/debs/busybox-static_*.deb "$O/guests/tree-686" "$work/many-init" ext4
"$O/holdover" boot --headless --kernel "$kernel" --initrd "$work/many.gz" --append "$append" --serial "$work/many.txt" \
    --stats "$work/memory.json" --until 'MANY END' --for 300
awk '/ram_touched/ { ram = $2 + 0 } /beyond_ram/ { own = $2 + 0 }
END {
    printf "memory after many programs: %.1f MiB of the guest'"'"'s RAM touched, %.1f MiB beyond it\n", ram / 1048576, own / 1048576
    exit !(own > 0 && own < 100 * 1048576)
}' "$work/memory.json"
