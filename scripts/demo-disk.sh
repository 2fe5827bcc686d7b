#!/bin/sh
# Makes the raw disk of an old payroll server out of Debian i386 packages: MBR, one ext3 partition at sector 63, GRUB 0.97,
# /dev/hda1 in fstab, the static address 192.168.1.17. As an ordinary user: no mount, no root, nothing 32-bit is run.
#   demo-disk.sh OUT.raw [WORK_FOLDER]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$1
work=${2:-$(dirname "$out")/demo-work}
cylinders=512 heads=16 sectors=63               # 252 MiB, the geometry that the BIOS of 1998 would have shown
if [ -z "${FAKEROOTKEY:-}" ] && [ "$(id -u)" != 0 ]; then
    exec fakeroot "$0" "$out" "$work"
fi
mkdir -p "$work"
rm -rf "$work/root" "$work/kernel"
root=$work/root

echo "demo-disk: fetching packages"
linux=$("$here/i386.sh" depends linux-image-686)
"$here/i386.sh" fetch "$work/loose" "$linux" busybox-static grub-legacy
"$here/i386.sh" fetch-all "$work/packages" base-files base-passwd bash coreutils dash debianutils diffutils findutils grep gzip hostname \
    libc-bin login mount ncurses-base ncurses-bin passwd sed sysvinit-core sysvinit-utils tar util-linux procps net-tools mawk \
    kmod e2fsprogs libpam-modules libpam-runtime less vim-tiny cron bc acpid

echo "demo-disk: unpacking $(wc -l <"$work/packages/list") packages"
mkdir -p "$root/var/lib/dpkg/info"
for package in "$work"/packages/*.deb; do
    grep -qx "$(basename "$package" | sed 's/_[^_]*$//')" "$work/packages/list" || continue
    dpkg-deb --fsys-tarfile "$package" | tar -C "$root" -xp --no-same-owner --keep-directory-symlink
    { dpkg-deb -f "$package" | sed '/^Package:/a Status: install ok installed'; echo; } >>"$root/var/lib/dpkg/status"
done
rm -rf "$root/usr/share/doc" "$root/usr/share/man" "$root/usr/share/locale" "$root/usr/share/info"
dpkg-deb -x "$work/loose/${linux}_"*.deb "$work/kernel"
version=${linux#linux-image-}
mkdir -p "$root/boot/grub" "$root/lib/modules/$version/kernel"
cp "$work/kernel/boot/vmlinuz-$version" "$root/boot/vmlinuz"
for part in drivers/acpi/button.ko drivers/input/evdev.ko drivers/ata drivers/scsi/sd_mod.ko drivers/scsi/sr_mod.ko drivers/scsi/scsi_mod.ko drivers/scsi/scsi_common.ko drivers/cdrom \
    drivers/net/ethernet/amd/pcnet32.ko drivers/net/mii.ko drivers/net/ethernet/8390 drivers/net/ethernet/realtek \
    drivers/parport drivers/char/lp.ko fs/ext4 fs/jbd2 fs/mbcache.ko fs/fat fs/isofs fs/nls lib/crc16.ko crypto/crc32c_generic.ko; do
    tree=$work/kernel/lib/modules/$version/kernel
    [ -e "$tree/$part" ] || continue
    mkdir -p "$root/lib/modules/$version/kernel/$(dirname "$part")"
    cp -r "$tree/$part" "$root/lib/modules/$version/kernel/$part"
done
cp "$work/kernel/lib/modules/$version/modules.builtin" "$work/kernel/lib/modules/$version/modules.builtin.modinfo" \
    "$work/kernel/lib/modules/$version/modules.order" "$root/lib/modules/$version/"
PATH=$PATH:/sbin:/usr/sbin depmod -b "$root" "$version"
"$here/initrd.sh" "$root/boot/initrd.img" "$work"/loose/busybox-static_*.deb "$work/kernel" "$here/demo/initrd-init" \
    ata_piix sd_mod crc32c_generic ext4

echo "demo-disk: configuring"
# the links that postinst scripts make with update-alternatives
while read -r link target; do
    [ -e "$root$target" ] || { echo "demo-disk: $target is missing" >&2; exit 1; }
    [ -e "$root$link" ] || ln -s "$target" "$root$link"
done <<EOF
/usr/bin/awk /usr/bin/mawk
/usr/bin/nawk /usr/bin/mawk
/usr/bin/pager /usr/bin/less
/usr/bin/editor /usr/bin/vim.tiny
/usr/bin/vi /usr/bin/vim.tiny
/usr/bin/view /usr/bin/vim.tiny
/usr/bin/ex /usr/bin/vim.tiny
/usr/bin/rview /usr/bin/vim.tiny
/usr/bin/which /usr/bin/which.debianutils
/usr/sbin/rmt /usr/sbin/rmt-tar
EOF
cat >"$root/etc/fstab" <<EOF
/dev/hda1  /      ext3  defaults,errors=remount-ro  0 1
proc       /proc  proc  defaults                    0 0
/dev/fd0   /floppy auto noauto                      0 0
EOF
mkdir -p "$root/etc/network" "$root/floppy" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/var/log" "$root/var/payroll" "$root/var/run"
cat >"$root/etc/network/interfaces" <<EOF
auto lo eth0
iface lo inet loopback
iface eth0 inet static
    address 192.168.1.17
    netmask 255.255.255.0
    gateway 192.168.1.1
EOF
echo 'nameserver 192.168.1.1' >"$root/etc/resolv.conf"
echo payroll >"$root/etc/hostname"
printf '127.0.0.1\tlocalhost\n192.168.1.17\tpayroll\n' >"$root/etc/hosts"
cat >"$root/etc/inittab" <<EOF
id:2:initdefault:
si::sysinit:/etc/init.d/boot
l0:0:wait:/etc/init.d/down halt
l6:6:wait:/etc/init.d/down reboot
ca:12345:ctrlaltdel:/sbin/shutdown -t1 -h now
1:2345:respawn:/sbin/agetty --noclear tty1 38400 linux
2:23:respawn:/sbin/agetty tty2 38400 linux
T0:23:respawn:/sbin/agetty -L ttyS0 9600 vt100
EOF
dpkg-deb --fsys-tarfile "$work"/loose/busybox-static_*.deb | tar -xO ./bin/busybox >"$work/busybox"
cat >"$root/etc/init.d/boot" <<'EOF'
#!/bin/sh
PATH=/sbin:/usr/sbin:/bin:/usr/bin
mount -n -t proc proc /proc
mount -n -t sysfs sysfs /sys 2>/dev/null
fsck -T -a / || true
mount -n -o remount,rw /
hostname -F /etc/hostname
ifconfig lo 127.0.0.1 up
modprobe button 2>/dev/null && modprobe evdev 2>/dev/null && acpid
modprobe pcnet32 2>/dev/null && ifconfig eth0 192.168.1.17 netmask 255.255.255.0 2>/dev/null && route add default gw 192.168.1.1
mkdir -p /dev/pts; mount -n -t devpts devpts /dev/pts 2>/dev/null && telnetd -l /bin/login
exit 0
EOF
install -D -m 755 "$work/busybox" "$root/usr/sbin/telnetd"
cat >"$root/etc/init.d/down" <<'EOF'
#!/bin/sh
PATH=/sbin:/usr/sbin:/bin:/usr/bin
killall5 -15; sleep 1; killall5 -9
mount -n -o remount,ro /
if [ "$1" = halt ]; then exec halt -d -f -p; fi
exec reboot -d -f
EOF
rm -f "$root/etc/acpi/events/"*
mkdir -p "$root/etc/acpi/events"
printf 'event=button/power.*\naction=/sbin/shutdown -h now\n' >"$root/etc/acpi/events/power"
install -D -m 755 "$here/demo/payroll" "$root/usr/local/bin/payroll"
chmod 755 "$root/etc/init.d/boot" "$root/etc/init.d/down"
cat >"$root/var/payroll/employees.dat" <<EOF
1:Ada Brown:160:14.50
2:Charles Miller:152:13.75
3:Grace Jones:168:19.20
4:John Atan:140:12.00
EOF
cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
sed -i 's/^root:[^:]*:/root::/' "$root/etc/passwd"
sed -i '/^[^r][^:]*:\*:/s/:\*:/:!:/' "$root/etc/passwd"
echo 'payroll::1000:1000:Payroll:/var/payroll:/usr/local/bin/payroll' >>"$root/etc/passwd"
echo 'payroll::1000:' >>"$root/etc/group"
chown -R 1000:1000 "$root/var/payroll"
for part in auth account session password; do
    echo "$part required pam_permit.so" >"$root/etc/pam.d/common-$part"
done
printf 'ACME Manufacturing\nPayroll server \\n\n\n' >"$root/etc/issue"
echo /usr/local/bin/payroll >>"$root/etc/shells"
cat >"$root/boot/grub/menu.lst" <<EOF
default 0
timeout 1
title Payroll server
root (hd0,0)
kernel /boot/vmlinuz root=/dev/hda1 ro quiet
initrd /boot/initrd.img
EOF

node() { mknod -m "$5" "$root/dev/$1" "$2" "$3" "$4" 2>/dev/null || true; }
node console c 5 1 600; node null c 1 3 666; node zero c 1 5 666; node tty c 5 0 666; node ptmx c 5 2 666
node random c 1 8 666; node urandom c 1 9 666; node mem c 1 1 640; node rtc c 254 0 660; node fd0 b 2 0 660; node kmsg c 1 11 600
for n in 0 1 2 3 4; do node "tty$n" c 4 $n 620; done
node ttyS0 c 4 64 660; node ttyS1 c 4 65 660; node lp0 c 6 0 660
# the kernel calls IDE disks sd; the old names stay, as aliases
for name in hda sda; do
    node $name b 8 0 660; node ${name}1 b 8 1 660
done
node hdc b 11 0 660
ln -sf /proc/self/fd "$root/dev/fd"

echo "demo-disk: writing $out"
dpkg-deb --fsys-tarfile "$work"/loose/grub-legacy_*.deb | tar -C "$work" -x --wildcards './usr/lib/grub/*'
grub=$work/usr/lib/grub/i386-pc
cp "$grub/stage1" "$grub/stage2" "$grub/e2fs_stage1_5" "$root/boot/grub/"
total=$((cylinders * heads * sectors))
rm -f "$out"
truncate -s $((total * 512)) "$out"
PATH=$PATH:/sbin:/usr/sbin mke2fs -q -t ext3 -I 128 -O ^dir_index,^resize_inode -L payroll -U 19980401-0000-4000-8000-000000000017 \
    -d "$root" -E offset=$((63 * 512)) "$out" $(((total - 63) / 2))k

byte() { printf "\\$(printf %03o "$1")"; }
le32() { byte $(($1 & 255)); byte $(($1 >> 8 & 255)); byte $(($1 >> 16 & 255)); byte $(($1 >> 24 & 255)); }
put() { dd of="$out" bs=1 seek="$1" conv=notrunc status=none; }
# stage 1 in the MBR loads stage 1.5 from sector 1 to 2000h; stage 1.5 reads ext2 and finds /boot/grub/stage2
dd if="$grub/stage1" of="$out" bs=440 count=1 conv=notrunc status=none
dd if="$grub/e2fs_stage1_5" of="$out" bs=512 seek=1 conv=notrunc status=none
rest=$((($(stat -c %s "$grub/e2fs_stage1_5") + 511) / 512 - 1))
{ byte 255; } | put $((0x40))                                   # the drive that the BIOS booted
{ byte 0; byte 32; le32 1; byte 0; byte 2; } | put $((0x42))    # address 2000h, sector 1, segment 200h
{ le32 2; byte $rest; byte 0; byte 32; byte 2; } | put $((512 + 0x1f8))   # the rest of stage 1.5: sector 2 on, to 2200h
{ byte 255; byte 255; byte 0; byte 0; } | put $((1024 + 8))    # this is the first partition,
{ byte 255; byte 255; byte 0; byte 255; } | put $((1024 + 23))  # and stage 2 is there, on the drive that was booted
# the partition table: active, CHS 0/1/1 to the last cylinder, type 83h, from sector 63
{ byte 128; byte 1; byte 1; byte 0; byte 131; byte $((heads - 1)); byte $((sectors | ((cylinders - 1) >> 2 & 192))); byte $(((cylinders - 1) & 255))
  le32 63; le32 $((total - 63)); } | put 446
{ byte 85; byte 170; } | put 510
rm -rf "$work/root" "$work/kernel" "$work/usr"
