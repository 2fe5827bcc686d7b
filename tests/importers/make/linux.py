"""Linux disks: Debian i386 from its packages (ext3, LVM2, extlinux, LILO), and trees of older distributions with the files that tell."""
import os
import shutil
import struct
import subprocess
import tempfile
import zlib

from base import SECTOR, Skip, blank, boot_code, copy_data, disk, entry, ext, fat, get, logical, mbr, put, run, spread
from dos import MSDOS_BOOT, day, msdos_files

BUILD = os.path.join(os.path.abspath(os.environ.get("O", "build")), "disks")
PACKAGES = "base-files base-passwd bash dash coreutils sed grep sysvinit-core openbsd-inetd inetutils-telnetd vsftpd postgresql-common".split()

LILO_MBR = b"\xfa\xeb\x21\x01\xb4\x01LILO\x16\x06" + bytes(40) + b"\x8e\xd8\x8e\xd0"
GRUB_MBR = b"\xeb\x48\x90" + bytes(0x3b) + b"\x03\x02\xff\0\0\x20\x01\0\0\0\0\x02\xfa\x90\x90" + bytes(250) + b"GRUB \0Geom\0Hard Disk\0Read\0 Error\0"


def debian_root():
    """Debian's root folder, unpacked once: packages by scripts/i386.sh, dpkg's status, a few modules of the 686 kernel."""
    root = os.path.join(BUILD, "debian-root")
    if os.path.exists(root + ".done"):
        return root
    shutil.rmtree(root, ignore_errors=True)
    work = os.path.join(BUILD, "debian-packages")
    try:
        kernel = run("scripts/i386.sh", "depends", "linux-image-686", timeout=300).decode().strip().splitlines()[-1]
        run("scripts/i386.sh", "fetch", work + "/loose", kernel, timeout=300)
        run("scripts/i386.sh", "fetch-all", work, *PACKAGES, timeout=300)
    except (RuntimeError, subprocess.TimeoutExpired) as why:
        raise Skip("Debian's i386 packages cannot be fetched: %s" % str(why).splitlines()[-1])
    os.makedirs(root + "/var/lib/dpkg/info")
    for stem in open(work + "/list").read().split():
        deb, = [os.path.join(work, n) for n in os.listdir(work) if n.startswith(stem + "_") and n.endswith(".deb")]
        run("sh", "-c", "dpkg-deb --fsys-tarfile '%s' | tar -C '%s' -x --no-same-owner --keep-directory-symlink" % (deb, root))
        with open(root + "/var/lib/dpkg/status", "a") as f:
            f.write(run("dpkg-deb", "-f", deb).decode().replace("\n", "\nStatus: install ok installed\n", 1) + "\n")
    for folder in ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/lib/i386-linux-gnu/perl", "usr/share/perl"):
        shutil.rmtree(os.path.join(root, folder), ignore_errors=True)
    version = kernel.replace("linux-image-", "")
    deb, = [os.path.join(work, "loose", n) for n in os.listdir(work + "/loose") if n.startswith(kernel + "_")]
    run("sh", "-c", "dpkg-deb --fsys-tarfile '%s' | tar -C '%s' -x --no-same-owner --wildcards './boot/*' '*/ata_piix.ko' '*/pcnet32.ko' '*/BusLogic.ko' "
        "'*/8139too.ko' './lib/modules/*/modules.order'" % (deb, root))
    open(root + ".done", "w").write(version)
    return root


def wtmp(when, line="tty1", user="root"):
    return struct.pack("<hxxi32s4s32s256shhiiiI12x20x", 7, 400, line.encode(), b"1", user.encode(), b"", 0, 0, 0, when, 0, 0)


def debian_files(kind):
    version = open(os.path.join(BUILD, "debian-root.done")).read()
    device = {"lvm": "/dev/mapper/vg0-root", "lilo": "/dev/hda1", "ext3": "/dev/hda1", "extlinux": "/dev/sda1"}[kind]
    tree = {
        "etc/fstab": "%s / ext3 defaults,errors=remount-ro 0 1\nproc /proc proc defaults 0 0\n/dev/hdc /cdrom iso9660 ro,user,noauto 0 0\n" % device,
        "etc/network/interfaces": "auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet static\n\taddress 192.168.1.17\n\tnetmask 255.255.255.0\n"
                                  "\tgateway 192.168.1.1\n\tdns-nameservers 192.168.1.2\n",
        "etc/resolv.conf": "search example.com\nnameserver 192.168.1.2\n", "etc/hostname": "payroll\n", "etc/hosts": "127.0.0.1 localhost\n192.168.1.17 payroll\n",
        "etc/inetd.conf": "# old services\ntelnet stream tcp nowait root /usr/sbin/tcpd /usr/sbin/telnetd\n#ftp stream tcp nowait root /usr/sbin/tcpd /usr/sbin/ftpd\n"
                          "pop-3\tstream\ttcp\tnowait\troot\t/usr/sbin/tcpd\t/usr/sbin/ipop3d\n", "etc/modules": "pcnet32\n", "etc/modprobe.d/aliases.conf": "alias eth0 pcnet32\n",
        "etc/inittab": "id:2:initdefault:\n1:2345:respawn:/sbin/getty 38400 tty1\n", "var/log/wtmp": wtmp(day(2004, 9, 24)),
        "etc/default/locale": "LANG=de_DE.UTF-8\n", "etc/timezone": "Europe/Berlin\n"}
    if kind == "lilo":
        tree["etc/lilo.conf"] = ("boot=/dev/hda\nroot=/dev/hda1\ninstall=/boot/boot.b\nmap=/boot/map\ndelay=20\nvga=normal\n"
                                 "image=/boot/vmlinuz-%s\n\tlabel=Linux\n\tread-only\n" % version)
        tree["boot/boot.b"], tree["boot/map"] = bytes(512), bytes(512)
    elif kind == "extlinux":
        tree["boot/extlinux/extlinux.conf"] = "default linux\nlabel linux\n\tkernel /boot/vmlinuz-%s\n\tappend initrd=/boot/initrd.img root=%s ro\n" % (version, device)
        tree["boot/extlinux/ldlinux.sys"] = b"\r\nEXTLINUX 4.05 \0" + bytes(500)
    else:
        tree["boot/grub/menu.lst"] = "default 0\ntimeout 5\ntitle Debian\nroot (hd0,0)\nkernel /boot/vmlinuz-%s root=%s ro\n" % (version, device)
    return tree


def debian_disk(path, kind, code):
    root = debian_root()
    place, = disk(path, 300, 16, 63, [(0x83, 0, 300, True)], code)
    ext(path, place, debian_files(kind), "ext3", "root", folder=root, when=day(2004))


def debian(path):
    debian_disk(path, "ext3", GRUB_MBR[:440].ljust(440, b"\0"))


def debianlilo(path):
    debian_disk(path, "lilo", LILO_MBR.ljust(440, b"\0"))


def debianextlinux(path):
    debian_disk(path, "extlinux", boot_code(b"Missing operating system.\r\n\0Operating system load error.\r\n"))
    put(path, 63 * SECTOR, b"\xeb\x58\x90EXTLINUX" + bytes(499) + b"\x55\xaa")        # the boot sector that extlinux --install writes


def lvm_crc(data):
    return zlib.crc32(data, 0xf597a6cf ^ 0xffffffff) ^ 0xffffffff


def lvm(path, place, volume="root", group="vg0", extents=None):
    """LVM2's label, metadata area and text on a partition: one group, one volume of all its extents from 1 MiB on. Gives the volume's place."""
    start, length = place
    mda, mda_size, first, size = 4096, 1044480, 2048, 8192
    extents = extents or (length - first) // size
    pv, vg, lv = (c + "aaaa-bbbb-cccc-dddd-eeee-ffff-gggggg" for c in ("PV", "VG", "LV"))
    text = ('%s {\nid = "%s"\nseqno = 2\nformat = "lvm2"\nstatus = ["RESIZEABLE", "READ", "WRITE"]\nflags = []\nextent_size = %d\nmax_lv = 0\nmax_pv = 0\n'
            'metadata_copies = 0\n\nphysical_volumes {\n\npv0 {\nid = "%s"\ndevice = "/dev/hda2"\nstatus = ["ALLOCATABLE"]\nflags = []\ndev_size = %d\n'
            'pe_start = %d\npe_count = %d\n}\n}\n\nlogical_volumes {\n\n%s {\nid = "%s"\nstatus = ["READ", "WRITE", "VISIBLE"]\nflags = []\n'
            'segment_count = 1\n\nsegment1 {\nstart_extent = 0\nextent_count = %d\n\ntype = "striped"\nstripe_count = 1\n\nstripes = [\n"pv0", 0\n]\n}\n}\n}\n}\n'
            '# Generated by LVM2: Thu Apr  1 10:00:00 2004\n\ncontents = "Text Format Volume Group"\nversion = 1\n\ndescription = ""\n\n'
            'creation_host = "payroll"\ncreation_time = 1080813600\n\n' % (group, vg, size, pv, length, first, extents, volume, lv, extents)).encode() + b"\0"
    label = pv.replace("-", "").encode() + struct.pack("<Q", length * SECTOR) + struct.pack("<QQQQ", first * SECTOR, 0, 0, 0) + struct.pack("<QQQQ", mda, mda_size, 0, 0)
    sector = bytearray(512)
    sector[0:32] = b"LABELONE" + struct.pack("<QII", 1, 0, 32) + b"LVM2 001"
    sector[32:32 + len(label)] = label
    struct.pack_into("<I", sector, 16, lvm_crc(bytes(sector[20:])))
    put(path, start * SECTOR + 512, bytes(sector))
    head = b" LVM2 x[5A%r0N*>" + struct.pack("<IQQ", 1, mda, mda_size) + struct.pack("<QQII", 512, len(text), lvm_crc(text), 0)
    head = head.ljust(508, b"\0")
    put(path, start * SECTOR + mda, struct.pack("<I", lvm_crc(head)) + head)
    put(path, start * SECTOR + mda + 512, text)
    return start + first, extents * size


def debianlvm(path):
    """/boot on hda1, the root on a logical volume."""
    root = debian_root()
    boot, pv = disk(path, 330, 16, 63, [(0x83, 0, 25, True), (0x8e, 25, 305, False)], GRUB_MBR[:440].ljust(440, b"\0"))
    version = open(os.path.join(BUILD, "debian-root.done")).read()
    ext(path, boot, {"grub/menu.lst": "default 0\ntitle Debian\nroot (hd0,0)\nkernel /vmlinuz-%s root=/dev/mapper/vg0-root ro\n" % version,
                     "vmlinuz-" + version: bytes(1024)}, "ext2", "boot", when=day(2004))
    ext(path, lvm(path, pv), debian_files("lvm"), "ext3", "root", folder=root, when=day(2004))


def kernel(version, date="Tue Mar 7 21:07:39 EST 2000", builder="root@porky.devel.redhat.com"):
    """The head of a bzImage: setup's signature and the version's text where its offset says."""
    text = ("%s (%s) #1 %s" % (version, builder, date)).encode() + b"\0"
    image = bytearray(2048)
    image[0x1f1:0x1f2] = b"\x03"
    image[0x1fe:0x200] = b"\x55\xaa"
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", image, 0x206, 0x201)
    struct.pack_into("<H", image, 0x20e, 0x400)
    image[0x600:0x600 + len(text)] = text
    return bytes(image)


def redhat62(path):
    """Red Hat 6.2 on an ext2 of revision 0, /boot apart, the root in a logical drive, LILO, an RTL8139, wu-ftpd and Apache."""
    boot, extended = disk(path, 200, 16, 63, [(0x83, 0, 20, True), (5, 20, 180, False)], LILO_MBR.ljust(440, b"\0"))
    swap, root = logical(path, extended, [(0x82, 30), (0x83, 150)], (16, 63))
    tree = {
        "etc/redhat-release": "Red Hat Linux release 6.2 (Zoot)\n", "etc/issue": "\nRed Hat Linux release 6.2 (Zoot)\nKernel 2.2.14-5.0 on an i586\n\n",
        "etc/fstab": "/dev/hda6 / ext2 defaults 1 1\n/dev/hda1 /boot ext2 defaults 1 2\n/dev/hda5 swap swap defaults 0 0\n/dev/fd0 /mnt/floppy auto noauto,owner 0 0\n",
        "etc/conf.modules": "alias eth0 rtl8139\nalias parport_lowlevel parport_pc\nalias sound sb\noptions sb io=0x220 irq=5\n",
        "etc/lilo.conf": "boot=/dev/hda\nmap=/boot/map\ninstall=/boot/boot.b\nprompt\ntimeout=50\ndefault=linux\nimage=/boot/vmlinuz-2.2.14-5.0\n\tlabel=linux\n\tread-only\n\troot=/dev/hda6\n",
        "etc/sysconfig/network": "NETWORKING=yes\nHOSTNAME=orders.example.net\nGATEWAY=172.16.4.1\n",
        "etc/sysconfig/network-scripts/ifcfg-eth0": "DEVICE=eth0\nBOOTPROTO=static\nBROADCAST=172.16.7.255\nIPADDR=172.16.4.25\nNETMASK=255.255.252.0\nNETWORK=172.16.4.0\nONBOOT=yes\n",
        "etc/sysconfig/i18n": 'LANG="fr_FR"\n', "etc/resolv.conf": "search example.net\nnameserver 172.16.4.9\n",
        "etc/inetd.conf": "ftp\tstream\ttcp\tnowait\troot\t/usr/sbin/tcpd\tin.ftpd -l -a\n#telnet\tstream\ttcp\tnowait\troot\t/usr/sbin/tcpd\tin.telnetd\n",
        "etc/httpd/conf/httpd.conf": "ServerType standalone\nPort 80\nUser nobody\n", "etc/rc.d/rc3.d/S85httpd": "#!/bin/sh\n", "etc/rc.d/init.d/httpd": "#!/bin/sh\n",
        "etc/inittab": "id:3:initdefault:\n", "lib/modules/2.2.14-5.0/net/rtl8139.o": bytes(64), "lib/libc-2.1.3.so": b"\x7fELF\x01\x01\x01" + bytes(60), "lib/libc.so.6": b"\x7fELF\x01\x01\x01" + bytes(60),
        "bin/sh": b"\x7fELF\x01\x01\x01" + bytes(60), "sbin/init": b"\x7fELF\x01\x01\x01" + bytes(60), "var/log/wtmp": wtmp(day(2001, 3, 9)), "boot/": "", "proc/": "", "usr/": ""}
    ext(path, root, tree, "ext2", "", options=("-r", "0"), when=day(2000))
    ext(path, boot, {"vmlinuz-2.2.14-5.0": kernel("2.2.14-5.0"), "boot.b": bytes(512), "map": bytes(512)}, "ext2", "/boot", options=("-r", "0"), when=day(2000))
    put(path, swap[0] * SECTOR + 4086, b"SWAPSPACE2")


def slackware(path):
    """Slackware 3.x, kernel 2.0, root on a BusLogic disk, an address in rc.inet1, SCSI names."""
    place, = disk(path, 150, 16, 63, [(0x83, 0, 150, True)], LILO_MBR.ljust(440, b"\0"))
    tree = {"etc/slackware-version": "3.5.0\n", "etc/HOSTNAME": "darkstar.lab.example\n", "etc/fstab": "/dev/sda1        /        ext2        defaults   1   1\nnone  /proc  proc defaults 0 0\n",
            "etc/lilo.conf": "boot = /dev/sda\nvga = normal\nimage = /vmlinuz\n  root = /dev/sda1\n  label = Linux\n  read-only\n", "vmlinuz": kernel("2.0.34", "Sat Jun 6 00:20:31 CDT 1998", "root@darkstar"),
            "etc/rc.d/rc.inet1": "#! /bin/sh\nHOSTNAME=`cat /etc/HOSTNAME`\n/sbin/ifconfig lo 127.0.0.1\nIPADDR=\"192.168.44.2\"\nNETMASK=\"255.255.255.0\"\nGATEWAY=\"192.168.44.254\"\n"
                                 "/sbin/ifconfig eth0 ${IPADDR} broadcast ${BROADCAST} netmask ${NETMASK}\n", "etc/rc.d/rc.modules": "/sbin/modprobe ne io=0x300\n#/sbin/modprobe 3c509\n",
            "lib/modules/2.0.34/scsi/BusLogic.o": bytes(64), "lib/libc.so.5.4.44": bytes(64), "etc/inetd.conf": "telnet  stream  tcp nowait  root    /usr/sbin/tcpd  in.telnetd\n",
            "bin/bash": b"\x7fELF\x01\x01\x01" + bytes(60), "sbin/init": bytes(60), "usr/": "", "etc/inittab": "id:3:initdefault:\n"}
    ext(path, place, tree, "ext2", "", options=("-r", "0"), when=day(1998))


SUSE = {"etc/SuSE-release": "SuSE Linux 7.3 (i386)\nVERSION = 7.3\n", "etc/fstab": "/dev/hda1 / ext2 defaults 1 1\n", "etc/HOSTNAME": "kontor\n", "etc/modules.conf": "alias eth0 eepro100\nalias scsi_hostadapter sym53c8xx\n",
        "etc/rc.config": 'FQHOSTNAME="kontor.firma.example"\nNETCONFIG="_0"\nIPADDR_0="10.0.5.6"\nNETDEV_0="eth0"\nIFCONFIG_0="10.0.5.6 broadcast 10.0.5.255 netmask 255.255.255.0"\nSTART_INETD="yes"\nRC_LANG="de_DE@euro"\n',
        "etc/route.conf": "10.0.5.0 0.0.0.0 255.255.255.0 eth0\ndefault 10.0.5.1 0.0.0.0 eth0\n", "etc/lilo.conf": "boot=/dev/hda\nimage=/boot/vmlinuz\n root=/dev/hda1\n label=linux\n",
        "boot/vmlinuz": kernel("2.4.10-4GB", "Tue Sep 25 12:33:54 GMT 2001", "root@Pentium.suse.de"), "lib/modules/2.4.10-4GB/modules.dep": "x:\n", "sbin/init": bytes(60), "bin/sh": bytes(9)}


def suse(path):
    """SuSE 7.3 with a kernel 2.4, an e100 card, rc.config."""
    place, = disk(path, 150, 16, 63, [(0x83, 0, 150, True)], LILO_MBR.ljust(440, b"\0"))
    ext(path, place, SUSE, "ext2", "", when=day(2001))


def susebtrfs(path):
    """The same on a file system that only libguestfs reads."""
    (start, _), = disk(path, 320, 16, 63, [(0x83, 0, 320, True)], LILO_MBR.ljust(440, b"\0"))
    with tempfile.TemporaryDirectory() as made:
        spread(SUSE, made + "/tree", day(2001))
        blank(made + "/volume", 150 << 20)
        run("mkfs.btrfs", "-q", "-m", "single", "--rootdir", made + "/tree", made + "/volume")
        copy_data(made + "/volume", path, start * SECTOR)


def doslinux(path):
    """DOS and Linux on one disk, LILO asks: FAT16 first, then ext2."""
    c, root = disk(path, 200, 16, 63, [(6, 0, 60, False), (0x83, 60, 140, True)], LILO_MBR.ljust(440, b"\0"))
    fat(path, c, msdos_files(), code=MSDOS_BOOT, when=day(1995))
    tree = {"etc/debian_version": "2.2\n", "etc/hostname": "twohead\n", "etc/fstab": "/dev/hda2 / ext2 defaults 0 1\n/dev/hda1 /dos msdos defaults 0 0\n",
            "etc/lilo.conf": "boot=/dev/hda\nroot=/dev/hda2\nprompt\nimage=/vmlinuz\n\tlabel=Linux\n\tread-only\nother=/dev/hda1\n\tlabel=dos\n\ttable=/dev/hda\n",
            "etc/network/interfaces": "iface eth0 inet static\n\taddress 192.168.8.8\n\tnetmask 255.255.255.0\n", "boot/vmlinuz-2.2.17": kernel("2.2.17"), "lib/modules/2.2.17/": "", "sbin/init": bytes(9), "bin/sh": bytes(9)}
    ext(path, root, tree, "ext2", "", when=day(2000))


def gpt(path):
    """GPT with the checksums of its two copies, an ext3 root and swap."""
    blank(path, 96 << 20)
    total = (96 << 20) // SECTOR
    parts = ((0x0fc63daf, b"\x83\x84\x72\x47\x8e\x79\x3d\x69\xd8\x47\x7d\xe4", 2048, 163839, "root"), (0x0657fd6d, b"\xab\xa4\xc4\x43\x84\xe5\x09\x33\xc8\x4b\x4f\x4f", 163840, total - 2049, "swap"))
    table = b"".join(struct.pack("<I12s16sQQQ72s", kind, rest, bytes([n + 1]) * 16, first, last, 0, name.encode("utf-16-le")) for n, (kind, rest, first, last, name) in enumerate(parts))
    table = table.ljust(128 * 128, b"\0")

    def header(here, other, entries):
        h = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, here, other, 34, total - 34, b"\x77" * 16, entries, 128, 128, zlib.crc32(table))
        return h[:16] + struct.pack("<I", zlib.crc32(h)) + h[20:]
    put(path, SECTOR, header(1, total - 1, 2))
    put(path, 2 * SECTOR, table)
    put(path, (total - 33) * SECTOR, table)
    put(path, (total - 1) * SECTOR, header(total - 1, 1, total - 33))
    mbr(path, [entry(0xee, 1, total - 1, (255, 63))], bytes(440))
    ext(path, (2048, 161792), {"etc/debian_version": "4.0\n", "etc/hostname": "etch\n", "etc/fstab": "/dev/sda1 / ext3 defaults 0 1\n", "boot/vmlinuz-2.6.18-6-686": kernel("2.6.18-6-686"),
        "lib/modules/2.6.18-6-686/": "", "sbin/init": bytes(9), "bin/sh": bytes(9)}, "ext3", "root", when=day(2007))


def hostile(path):
    """Names, labels and files whose text would move the cursor, set titles, or end a line of JSON."""
    place, = disk(path, 60, 16, 63, [(0x83, 0, 60, True)])
    evil = "\x1b]0;owned\x07\x1b[2J"
    tree = {"etc/hostname": evil + "host\n", "etc/fstab": "/dev/hda1 / ext2 defaults 0 1\n", "etc/redhat-release": "Red Hat Linux release 6.1 " + evil + "\u009b31m(Cartman)\n",
            "etc/sysconfig/network": "HOSTNAME=%s\"},{\\evil\n" % evil, "etc/sysconfig/network-scripts/ifcfg-eth0": "IPADDR=%s1.2.3.4\n" % evil, "boot/vmlinuz-2.2.12": kernel("2.2.12" + evil),
            "lib/modules/2.2.12-20/": "", "sbin/init": bytes(9), "bin/sh": bytes(9), "etc/resolv.conf": "nameserver " + evil + "\n", "etc/lilo.conf": "root=" + evil + "\n"}
    ext(path, place, tree, "ext2", "\x1b[31mRED\x07", when=day(1999))
