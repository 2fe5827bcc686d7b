#!/bin/sh
# Fetches and unpacks the guest software that tests/guests and tests/bench boot, into build/guests. Nothing of it is committed.
#   prepare.sh [kernel-686] [kernel-pae] [ports] [memtest] [invaders] [installer] [disk] [drives]
set -eu
cd "$(dirname "$0")/../.."
O=${O:-build}
guests=$O/guests
mkdir -p "$guests"

kernel() {              # metapackage name -> guests/vmlinuz-$2, guests/tree-$2, guests/initrd-$2
    [ ! -e "$guests/initrd-$2.gz" ] || return 0
    package=$(scripts/i386.sh depends "$1")
    scripts/i386.sh fetch "$guests/debs" "$package" busybox-static
    rm -rf "$guests/tree-$2"
    dpkg-deb -x "$guests/debs/${package}_"*.deb "$guests/tree-$2"
    cp "$guests/tree-$2/boot/vmlinuz-"* "$guests/vmlinuz-$2"
    scripts/initrd.sh "$guests/initrd-$2.gz" "$guests/debs/busybox-static_"*.deb "$guests/tree-$2" tests/guests/init \
        ata_piix sd_mod sr_mod isofs ext4 crc32c_generic floppy
}

for what; do
    case $what in
    kernel-686) kernel linux-image-686 686 ;;
    kernel-pae) kernel linux-image-686-pae pae ;;
    drives)             # after kernel-686: its modules of SCSI adapters and drives, with a file system check
        kernel linux-image-686 686
        [ -e "$guests/initrd-drives.gz" ] && [ -z "$(find tests/guests/init_drives tests/guests/fdformat.c -newer "$guests/initrd-drives.gz")" ] || {
            gcc -m32 -Os -ffreestanding -nostdlib -static -fno-pie -no-pie -fno-stack-protector -fno-asynchronous-unwind-tables -o "$guests/fdformat" tests/guests/fdformat.c
            scripts/i386.sh fetch "$guests/debs" e2fsck-static
            dpkg-deb --fsys-tarfile "$guests/debs/e2fsck-static_"*.deb | tar -xO ./sbin/e2fsck.static >"$guests/e2fsck"
            chmod 755 "$guests/e2fsck"
            EXTRA="$guests/e2fsck $guests/fdformat" scripts/initrd.sh "$guests/initrd-drives.gz" "$guests/debs/busybox-static_"*.deb "$guests/tree-686" \
                tests/guests/init_drives ata_piix sd_mod sr_mod isofs ext4 crc32c_generic floppy am53c974 sym53c8xx BusLogic
        } ;;
    ports)
        kernel linux-image-686 686
        [ -e "$guests/initrd-ports.gz" ] && [ -z "$(find tests/guests/ports.c tests/guests/init tests/guests/prepare.sh -newer "$guests/initrd-ports.gz")" ] || {
            mkdir -p "$guests/ports-work"
            gcc -m32 -O1 -static -nostdlib -ffreestanding -fno-pic -fno-stack-protector -fno-builtin -fno-asynchronous-unwind-tables \
                -I /usr/include/x86_64-linux-gnu -o "$guests/ports-work/ports" tests/guests/ports.c
            EXTRA=$guests/ports-work/ports scripts/initrd.sh "$guests/initrd-ports.gz.new" "$guests/debs/busybox-static_"*.deb \
                "$guests/tree-686" tests/guests/init parport_pc lp psmouse evdev serport sermouse
            mv "$guests/initrd-ports.gz.new" "$guests/initrd-ports.gz"
        } ;;
    net)
        # the cards' drivers; made again when its script has changed
        [ -e "$guests/initrd-net.gz" ] && [ -z "$(find tests/guests/net-init tests/guests/prepare.sh -newer "$guests/initrd-net.gz")" ] ||
            scripts/initrd.sh "$guests/initrd-net.gz" "$guests/debs/busybox-static_"*.deb "$guests/tree-686" tests/guests/net-init \
                pcnet32 ne ne2k-pci 8139too 8139cp tulip e1000 ;;
    memtest)
        [ -e "$guests/memtest" ] || {
            scripts/i386.sh fetch "$guests/debs" memtest86+
            dpkg-deb --fsys-tarfile "$guests/debs/memtest86+_"*.deb | tar -xO --wildcards './boot/memtest86+ia32.bin' >"$guests/memtest"
        } ;;
    invaders)
        [ -e "$guests/invaders" ] || {
            scripts/i386.sh fetch "$guests/debs" grub-invaders
            dpkg-deb --fsys-tarfile "$guests/debs/grub-invaders_"*.deb | tar -xO ./boot/invaders.exec >"$guests/invaders"
        } ;;
    installer)
        [ -e "$guests/installer-linux" ] || {
            scripts/i386.sh fetch "$guests/debs" debian-installer-12-netboot-i386
            for part in initrd.gz linux; do
                dpkg-deb --fsys-tarfile "$guests/debs/debian-installer-12-netboot-i386_"*.deb |
                    tar -xO "./usr/lib/debian-installer/images/12/i386/text/debian-installer/i386/$part" >"$guests/installer-$part.new"
                mv "$guests/installer-$part.new" "$guests/installer-$part"
            done
        } ;;
    disk)
        # made again when what makes it has changed
        [ -e "$guests/payroll.raw" ] && [ -z "$(find scripts/demo-disk.sh scripts/demo -newer "$guests/payroll.raw")" ] || {
            scripts/demo-disk.sh "$guests/payroll.raw.new" "$guests/demo-work"
            mv "$guests/payroll.raw.new" "$guests/payroll.raw"
        } ;;
    *) echo "prepare.sh: no guest '$what'" >&2; exit 2 ;;
    esac
done
