#!/bin/sh
# Makes a small initrd out of busybox (i386) and kernel modules.
#   [EXTRA="FILE..."] initrd.sh OUT BUSYBOX.deb KERNEL_TREE INIT_SCRIPT MODULE...
# KERNEL_TREE is an unpacked linux-image package. Modules are named without .ko; with those they depend on they become
# /modules/NN-NAME.ko, which the init script loads in the order of their names. No root: device nodes are what devtmpfs makes.
set -eu
out=$1; busybox=$2; kernel=$3; init=$4; shift 4
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/bin" "$tree/proc" "$tree/sys" "$tree/dev" "$tree/modules" "$tree/tmp" "$tree/mnt"
dpkg-deb --fsys-tarfile "$busybox" | tar -xO ./bin/busybox >"$tree/bin/busybox"
chmod 755 "$tree/bin/busybox"
for applet in printf sh sed mount umount insmod cat echo ls sleep poweroff reboot switch_root uname free dmesg mkdir dd sync grep head cut date; do
    ln -s busybox "$tree/bin/$applet"
done
PATH=$PATH:/sbin:/usr/sbin
version=$(ls "$kernel/lib/modules")
[ -e "$kernel/lib/modules/$version/modules.dep.bin" ] || depmod -b "$kernel" "$version"
n=100
for module; do
    modprobe --show-depends -d "$kernel" -S "$version" "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
done | awk '!seen[$0]++' | while read -r file; do
    cp "$file" "$tree/modules/$n-$(basename "$file")"
    n=$((n + 1))
done
for extra in ${EXTRA:-}; do cp "$extra" "$tree/"; done
cp "$init" "$tree/init"
chmod 755 "$tree/init"
(cd "$tree" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) | gzip -9n >"$out"
