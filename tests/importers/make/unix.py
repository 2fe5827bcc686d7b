"""BSD, Minix, Xenix, SCO, Solaris, OS/2: what their disks have in their first sectors and, where a writer is at hand, their files."""
import struct

from base import SECTOR, blank, boot_code, disk, entry, fat, get, mbr, put, run
from dos import day, one_fat


def bsd_label(parts, kind=b"fictitious", heads=16, sectors=63, cylinders=100, name=b"ad0s1"):
    """A disklabel: parts is [(letter, start, size, type)]; sums to zero as 16-bit words XORed."""
    size = cylinders * heads * sectors
    highest = max(ord(p[0]) - 97 for p in parts) + 1
    table = bytearray(16 * 8)
    for letter, start, length, fs in parts:
        struct.pack_into("<IIIBBH", table, (ord(letter) - 97) * 16, length, start, 2048, fs, 8, 16)
    label = struct.pack("<IHH16s16sIIIIIIHHIHHHHIII5I5IIHHII", 0x82564557, 3, 0, name.ljust(16, b"\0"), kind.ljust(16, b"\0"), 512, sectors, heads, cylinders,
                        heads * sectors, size, 0, 0, 0, 3600, 1, 0, 0, 0, 0, 0, *[0] * 5, *[0] * 5, 0x82564557, 0, max(highest, 8), 8192, 8192) + bytes(table)
    check = 0
    for word in struct.unpack("<%dH" % (len(label) // 2), label):
        check ^= word
    at = 4 + 2 + 2 + 32 + 24 + 4 + 4 + 4 + 8 + 12 + 40 + 4
    return label[:at] + struct.pack("<H", check) + label[at + 2:]


def ffs_super(path, at, size, mounted=b"/"):
    """UFS1's superblock at 8192, as far as its magic and the name of where it was mounted last."""
    block = bytearray(1376)
    struct.pack_into("<IIII", block, 8, 16, 24, 32, 40)
    struct.pack_into("<III", block, 32, 915148800, size // 2, size // 2 - 100)
    struct.pack_into("<IIIII", block, 48, 8192, 1024, 8, 0, 0)
    block[212:212 + len(mounted)] = mounted
    struct.pack_into("<I", block, 1372, 0x011954)
    put(path, at + 8192, bytes(block))


def freebsd(path):
    place, = disk(path, 100, 16, 63, [(0xa5, 0, 100, True)], boot_code(b"\0F1 \0FreeBSD\0Default: F\0"))
    start, length = place
    put(path, start * SECTOR, b"\xeb\x3cBTX\x01\x01" + b"\0" * 300 + b"Read\0 error\0")
    put(path, (start + 1) * SECTOR, bsd_label([("a", start, 40000, 7), ("b", start + 40000, 20000, 1), ("c", start, length, 0), ("e", start + 60000, length - 60000, 7)]))
    put(path, (start + 2) * SECTOR, b"FreeBSD/i386 boot\r\nDefault: %u:%s(%u,%c)%s\nboot: \0Invalid partition\0/boot/loader\0/kernel\0")
    ffs_super(path, start * SECTOR, 40000)
    ffs_super(path, (start + 60000) * SECTOR, length - 60000, b"/usr")


def openbsd(path):
    place, = disk(path, 100, 16, 63, [(0xa6, 0, 100, True)])
    start, length = place
    put(path, start * SECTOR, boot_code(b"Loading\0.\0 ERR R\0ERR M\0>> OpenBSD/i386 BOOT\0"))
    put(path, (start + 1) * SECTOR, bsd_label([("a", start, 60000, 7), ("b", start + 60000, 20000, 1), ("c", 0, length + start, 0)], b"ESDI/IDE disk", name=b"wd0"))
    put(path, (start + 2) * SECTOR, b">> OpenBSD/i386 BOOT 2.02\n\0")
    ffs_super(path, start * SECTOR, 60000)


def bsdloop(path):
    """A disklabel that says it has sixty thousand partitions, all beyond the end."""
    freebsd(path)
    put(path, 64 * SECTOR + 138, struct.pack("<H", 60000))
    put(path, 64 * SECTOR + 148, struct.pack("<II", 0xffffffff, 0xfffffff0))


def minix(path):
    place, = disk(path, 40, 16, 63, [(0x81, 0, 40, True)])
    part = path + ".part"
    blank(part, place[1] // 2 * 1024)
    run("mkfs.minix", "-1", part)
    from base import copy_data
    import os
    copy_data(part, path, place[0] * SECTOR)
    os.unlink(part)


def xenix(path):
    place, = disk(path, 60, 16, 63, [(2, 0, 60, True)])
    put(path, place[0] * SECTOR, boot_code(b"Boot\r\n: hd(40)xenix\0SCO System V\0"))
    # the System V superblock of XENIX: magic 2b5544h at 1016 of the second KiB, type 2 (blocks of 1 KiB)
    put(path, place[0] * SECTOR + 1024 + 1016, struct.pack("<II", 0x2b5544, 2))


def solaris(path):
    """Solaris x86: type 82h, which is Linux' swap, with a VTOC in its second sector."""
    place, = disk(path, 100, 16, 63, [(0x82, 0, 100, True)])
    vtoc = bytearray(512)
    struct.pack_into("<III", vtoc, 12, 0x600ddeee, 1, 0)
    vtoc[24:32] = b"SOLARIS\0"
    struct.pack_into("<HH", vtoc, 32 - 4, 512, 16)
    struct.pack_into("<HHII", vtoc, 72, 2, 0, 1008, 60000)
    struct.pack_into("<H", vtoc, 508, 0xdabe)
    put(path, (place[0] + 1) * SECTOR, bytes(vtoc))
    put(path, place[0] * SECTOR, boot_code(b"Solaris Partition Boot Sector\0SunOS\0"))
    ffs_super(path, (place[0] + 1008) * SECTOR, 60000)


# --- OS/2 ---------------------------------------------------------------------------------------------------------------
def syslevel(title, component, version, modify, level):
    """SYSLEVEL.*: what SYSLEVEL.EXE prints; version 4.00 is 40h, 0."""
    head = b"\xff\xffSYSLEVEL\0".ljust(0x21, b"\0") + struct.pack("<I", 0x25)
    return head + struct.pack("<HBBBH", 0x8000, 0x4d, version, modify, 0x2c1) + level.encode().ljust(8) + level.encode().ljust(8) + title.encode().ljust(80, b"\0") + component.encode().ljust(9, b"\0") + b"0" + b"\0" * 9


def os2_files(drive="C"):
    return {
        "OS2KRNL": b"MZ" + bytes(400) + b"The OS/2 Kernel\0Internal revision 9.023\0", "OS2LDR": bytes(400) + b"OS/2 LDR\0", "OS2BOOT": bytes(64), "OS2LDR.MSG": bytes(64),
        "CONFIG.SYS": "IFS=%s:\\OS2\\HPFS.IFS /CACHE:1024 /CRECL:4\r\nPROTSHELL=%s:\\OS2\\PMSHELL.EXE\r\nSET USER_INI=%s:\\OS2\\OS2.INI\r\nLIBPATH=.;%s:\\OS2\\DLL;\r\nCOUNTRY=049,%s:\\OS2\\SYSTEM\\COUNTRY.SYS\r\n"
                      "BASEDEV=IBM1S506.ADD\r\nBASEDEV=OS2DASD.DMD\r\nDEVICE=%s:\\IBMCOM\\MACS\\PCNTND.OS2\r\nCALL=%s:\\OS2\\CMD.EXE /Q /C %s:\\MPTN\\BIN\\MPTSTART.CMD\r\nSET HOSTNAME=lager\r\nSET VIDEO_DEVICES=VIO_SVGA\r\n" % ((drive,) * 8),
        "MPTN/BIN/SETUP.CMD": "route -fh\r\narp -f\r\nifconfig lan0 192.168.60.6 netmask 255.255.255.0\r\nroute add default 192.168.60.1 1\r\n",
        "MPTN/ETC/RESOLV2": "domain firma.example\r\nnameserver 192.168.60.2\r\n",
        "IBMCOM/PROTOCOL.INI": "[PROT_MAN]\r\nDRIVERNAME = PROTMAN$\r\n[PCNTND_nif]\r\nDriverName = PCNTND$\r\n", "IBMCOM/MACS/PCNTND.OS2": bytes(64),
        "OS2/INSTALL/SYSLEVEL.OS2": syslevel("IBM OS/2 Warp 4", "562274700", 0x40, 0, "XR04000_"), "OS2/CMD.EXE": bytes(64), "OS2/PMSHELL.EXE": bytes(64), "OS2/DLL/PMWP.DLL": bytes(64),
        "OS2/OS2.INI": bytes(64), "OS2/BOOT/IBM1S506.ADD": bytes(64), "TCPIP/BIN/INETD.EXE": bytes(64)}


def os2fat(path):
    one_fat(path, os2_files(), cylinders=130, boot=b"OS2BOOT    \0The file system could not be found.", oem=b"IBM 20.0", year=1996)


def os2bm(path):
    """Boot Manager in the last cylinder, OS/2 on a FAT primary."""
    c, bm = disk(path, 131, 16, 63, [(6, 0, 130, False), (0x0a, 130, 1, True)], boot_code(b"No operating system was found.\0"))
    fat(path, c, os2_files(), code=b"OS2BOOT    ", oem=b"IBM 20.0", when=day(1996))
    put(path, bm[0] * SECTOR, boot_code(b"APJ&WN  OS/2 Boot Manager\0"))


class Hpfs:
    """A small HPFS: boot sector, superblock, spareblock, bitmap, fnodes, one dnode a folder. Enough for readers; CHKDSK would complain."""

    def __init__(self, path, place):
        self.path, self.start, self.length = path, place[0], place[1]
        self.next = 32

    def take(self, count, align=1):
        at = self.next + -self.next % align
        self.next = at + count
        return at

    def put(self, sector, data):
        put(self.path, (self.start + sector) * SECTOR, data)

    def fnode(self, at, name, size, runs, folder=False, parent=0):
        """runs: [(file sector, count, disk sector)], at most eight; of a folder the disk sector of its dnode."""
        f = bytearray(512)
        short = name.encode("latin-1")[:15]
        struct.pack_into("<I", f, 0, 0xf7e40aae)
        f[12] = len(name.encode("latin-1"))
        f[13:13 + len(short)] = short
        struct.pack_into("<I", f, 28, parent)
        f[54:56] = struct.pack("<H", 0x100 if folder else 0)      # flags: a folder
        entries = [(0, 0, runs)] if folder else runs
        f[56], f[60], f[61] = 0, 8 - len(entries), len(entries)
        struct.pack_into("<H", f, 62, 8 + 12 * len(entries))
        for n, (first, count, where) in enumerate(entries):
            struct.pack_into("<III", f, 64 + 12 * n, first, count, where)
        struct.pack_into("<I", f, 160, size)
        struct.pack_into("<I", f, 168, 0xc4)
        self.put(at, bytes(f))

    def dirent(self, name, fnode, size, folder, when, flags=0):
        raw = name.encode("latin-1")
        length = 31 + len(raw)
        length += -length % 4
        return struct.pack("<HBBIIIIIIBBB", length, flags | (0), 0x10 if folder else 0x20, fnode, when, size, when, when, 0, 0, 0, len(raw)) + raw + bytes(length - 31 - len(raw))

    def folder(self, tree, fnode, parent_dnode, name, parent, when):
        dnode = self.take(4, 4)
        lines = [struct.pack("<HBBIIIIIIBBB", 36, 1, 0x10, parent, when, 0, when, when, 0, 0, 0, 2) + b"\1\1" + bytes(3)]
        for entry_name in sorted(tree, key=str.upper):
            inside = tree[entry_name]
            node = self.take(1)
            if isinstance(inside, dict):
                self.folder(inside, node, dnode, entry_name, fnode, when)
                lines.append(self.dirent(entry_name, node, 0, True, when))
            else:
                count = (len(inside) + 511) // 512
                at = self.take(count) if count else 0
                if count:
                    self.put(at, inside)
                self.fnode(node, entry_name, len(inside), [(0, count, at)] if count else [], parent=fnode)
                lines.append(self.dirent(entry_name, node, len(inside), False, when))
        lines.append(struct.pack("<HBBIIIIIIBBB", 32, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1) + b"\xff")
        body = b"".join(lines)
        if 20 + len(body) > 2048:
            raise RuntimeError("a folder of more than one dnode")
        d = struct.pack("<IIIII", 0x77e40aae, 20 + len(body), 1 if parent_dnode is None else 0, fnode if parent_dnode is None else parent_dnode, dnode) + body
        self.put(dnode, d.ljust(2048, b"\0"))
        self.fnode(fnode, name, 0, dnode, folder=True, parent=parent)

    def make(self, tree, when, oem=b"IBM 20.0", label=b"OS2"):
        nested = {}
        for name, data in tree.items():
            here = nested
            *folders, last = name.split("/")
            for f in folders:
                here = here.setdefault(f, {})
            here[last] = data.encode("latin-1") if isinstance(data, str) else data
        boot = bytearray(512)
        boot[0:11] = b"\xeb\x3c\x90" + oem
        struct.pack_into("<HBHBHHBHHHII", boot, 11, 512, 1, 1, 0, 0, 0, 0xf8, 0, 63, 16, self.start, self.length)
        struct.pack_into("<BBBI", boot, 36, 0x80, 0, 0x29, 0x26181994)
        boot[43:54] = label.ljust(11)
        boot[54:62] = b"HPFS    "
        boot[510:] = b"\x55\xaa"
        self.put(0, bytes(boot))
        root = self.take(1)
        sup = struct.pack("<IIBBHIII", 0xf995e849, 0xfa53e9c5, 2, 2, 0, root, self.length, 0)
        self.put(16, sup.ljust(512, b"\0"))
        self.put(17, struct.pack("<II", 0xf9911849, 0xfa5229c5).ljust(512, b"\0"))
        self.folder(nested, root, None, "", 0, when)


def os2hpfs(path):
    place, = disk(path, 130, 16, 63, [(7, 0, 130, True)])
    Hpfs(path, place).make(os2_files(), day(1996))
