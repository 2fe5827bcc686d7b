#!/bin/sh
# A Linux guest fetches and sends 20 MB by TCP through user-mode NAT (libslirp on both sides), on Holdover and on qemu-system-i386
# -accel tcg, in one run. Prints MB/s by the guest's clock.   CARDS="pcnet rtl8139 e1000"  SIZE=20
set -eu
cd "$(dirname "$0")/../.."
O=${O:-build}
work=$O/bench
size=${SIZE:-20}
port=$((20000 + $$ % 20000))
mkdir -p "$work"
O=$O tests/guests/prepare.sh kernel-686 net
kernel=$O/guests/vmlinuz-686
python3 tests/guests/peer.py $port "$size" >"$work/net-sum.txt" &
peer=$!
trap 'kill $peer 2>/dev/null' EXIT

speed() {               # label, serial log
    awk -v label="$1" -v size="$size" '/^(GET|PUT) / { at[$1] = $3 } END {
        printf "%-40s fetch %6.1f MB/s  send %6.1f MB/s\n", label, size * 104.8576 / at["GET"], size * 104.8576 / at["PUT"] }' "$2"
    [ "$(grep -c "$(cat "$work/net-sum.txt")" "$2")" = 2 ] || { echo "$1: what arrived is not what was sent"; exit 1; }
}
for card in ${CARDS:-pcnet rtl8139 e1000}; do
    case $card in pcnet) nic=pcnet32 ;; rtl8139) nic=8139too ;; *) nic=$card ;; esac
    append="console=ttyS0 quiet mitigations=off nic=$nic ip=10.0.2.15 gw=10.0.2.2 port=$port"
    "$O/holdover" boot --headless --memory 256M --kernel "$kernel" --initrd "$O/guests/initrd-net.gz" --append "$append" \
        --set net.card=$card --set net.mode=nat --serial "$work/net.txt" --until 'NET END' --for 200
    speed "holdover, $card" "$work/net.txt"
    command -v qemu-system-i386 >/dev/null || continue
    rm -f "$work/net-qemu.txt"
    qemu-system-i386 -accel tcg -cpu pentium3 -m 256 -kernel "$kernel" -initrd "$O/guests/initrd-net.gz" -append "$append" \
        -display none -monitor none -nic user,model=$card -serial "file:$work/net-qemu.txt" &
    qemu=$!
    waited=0
    while ! grep -q 'NET END' "$work/net-qemu.txt" 2>/dev/null && [ $waited -lt 200 ]; do
        sleep 1
        waited=$((waited + 1))
    done
    kill $qemu
    wait $qemu 2>/dev/null || true
    speed "qemu-system-i386 -accel tcg, $card" "$work/net-qemu.txt"
done
