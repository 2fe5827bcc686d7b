"""Tables and volumes that went wrong, or were meant to harm the reader."""
import os
import struct

from base import SECTOR, blank, boot_code, disk, entry, fat, logical, mbr, put
from dos import MSDOS_BOOT, creg, day, msdos_files, one_fat, registry9x, tree9x, BOOT9X

EVIL = "\x1b]0;owned\x07\x1b[2J"


def loop(path):
    """The second extended table names the first as its next, as libparted never forgets."""
    c, extended = disk(path, 120, 16, 63, [(6, 0, 40, True), (5, 40, 80, False)])
    fat(path, c, msdos_files(), code=MSDOS_BOOT, when=day(1994))
    places = logical(path, extended, [(6, 30), (6, 50)], (16, 63))
    second = places[1][0] - 63
    mbr(path, [entry(6, *places[1], (16, 63), relative=63), entry(5, extended[0], extended[1], (16, 63), relative=0)], bytes(440), at=second)


def selfloop(path):
    """An extended partition that contains itself."""
    c, extended = disk(path, 120, 16, 63, [(6, 0, 40, True), (5, 40, 80, False)])
    fat(path, c, msdos_files(), code=MSDOS_BOOT, when=day(1994))
    mbr(path, [entry(5, extended[0], 63, (16, 63), relative=0)] * 4, bytes(440), at=extended[0])


def longchain(path):
    """Two thousand logical drives of a sector each: bounded."""
    blank(path, 20 << 20)
    mbr(path, [entry(5, 63, 30000, (16, 63))])
    for n in range(2000):
        at = 63 + 2 * n
        mbr(path, [entry(1, at + 1, 1, (16, 63), relative=1), entry(5, at + 2, 2, (16, 63), relative=at + 2 - 63)], bytes(440), at=at)


def beyond(path):
    """The third partition ends where the disk does not go on: a copy of another size."""
    parts = disk(path, 100, 16, 63, [(6, 0, 40, True), (6, 40, 60, False)])
    fat(path, parts[0], msdos_files(), code=MSDOS_BOOT, when=day(1994))
    mbr(path, [entry(6, *parts[0], (16, 63), True), entry(6, *parts[1], (16, 63)), entry(7, 100800, 4000000, (16, 63))], boot_code())


def overlap(path):
    parts = disk(path, 100, 16, 63, [(6, 0, 60, True), (6, 40, 60, False)])
    fat(path, parts[0], msdos_files(), code=MSDOS_BOOT, when=day(1994))


def wrap(path):
    """Start and length whose sum does not fit 32 bits."""
    parts = disk(path, 60, 16, 63, [(6, 0, 60, True)])
    fat(path, parts[0], msdos_files(), code=MSDOS_BOOT, when=day(1994))
    mbr(path, [entry(6, *parts[0], (16, 63), True), struct.pack("<B3sB3sII", 0, b"\xff\xff\xff", 0xb, b"\xff\xff\xff", 0xfffffff0, 0xffffffff)], boot_code())


def zeroed(path):
    """The first track was overwritten with zeros; the volume behind it is whole."""
    one_fat(path, msdos_files())
    put(path, 0, bytes(63 * SECTOR))


def noise(path):
    """A disk that holds nothing but noise."""
    import random
    blank(path, 4 << 20)
    put(path, 0, random.Random(1985).randbytes(4 << 20))


def zeros(path):
    blank(path, 12 << 20)


def badbpb(path):
    """A FAT boot sector that counts on division by zero and on clusters without end."""
    one_fat(path, msdos_files())
    put(path, 63 * SECTOR + 11, struct.pack("<HBHBHHBHHH", 0, 0, 1, 2, 512, 0, 0xf8, 0xffff, 0, 0))


def fatloop(path):
    """A cluster chain of a folder that comes back to itself, and a folder that is its own subfolder."""
    tree = msdos_files()
    tree["DOS/FORMAT.COM"] = bytes(64)
    one_fat(path, tree, oem=b"MSDOS5.0")
    with open(path, "r+b") as f:
        f.seek(63 * SECTOR)
        s = f.read(512)
        reserved, fats, roots, size = struct.unpack_from("<H", s, 14)[0], s[16], struct.unpack_from("<H", s, 17)[0], struct.unpack_from("<H", s, 22)[0]
        root = (63 + reserved + fats * size) * SECTOR
        f.seek(root)
        entries = f.read(roots * 32)
        for n in range(0, len(entries), 32):
            if entries[n:n + 11] == b"DOS        ":
                cluster = struct.unpack_from("<H", entries, n + 26)[0]
        for copy in range(fats):
            f.seek((63 + reserved + copy * size) * SECTOR + cluster * 2)
            f.write(struct.pack("<H", cluster))
        data = root + roots * 32 + (cluster - 2) * s[13] * SECTOR
        f.seek(data + 64)
        for n in range(3, s[13] * 16 + 1):
            f.write(struct.pack("<11sB10xHHHI", b"DOS        ", 0x10, 0, 0x1ce1, cluster, 0))


def hostile98(path):
    """Labels, host names and addresses with terminal escapes, in FAT, INI files and CREG."""
    reg = creg(registry9x("Microsoft Windows 98" + EVIL, "4.10.1998", name="PC" + EVIL, nic=("Card" + EVIL, "x" + EVIL + ".vxd", "Y"),
                          address=(EVIL, EVIL, EVIL, "\x9b31m"), apps=("App" + EVIL + "\x9b5n", )))
    tree = tree9x("4.10.1998" + EVIL, reg, "Starting Windows 98...", (4, 10, 0, 1998))
    tree["WINDOWS/SYSTEM.INI"] += "[network]\r\nComputerName=" + EVIL + "\r\n"
    place = one_fat(path, tree, cylinders=130, oem=b"\x1b[31mOEM", boot=BOOT9X, year=1998, label="LABEL")
    put(path, place[0] * SECTOR + 43, b"\x1b[2J\x07\x08\x7f\x9bEVL")
    data = open(path, "rb").read(1 << 20)
    at = data.find(b"LABEL      \x08", place[0] * SECTOR + 512)
    put(path, at, b"\x1b[2J\x07\x08\x7f\x9bEVL")


def deepregistry(path):
    """A registry whose keys lie four thousand deep, and one whose first key is its own child."""
    root = {}
    for _ in range(900):
        root = {"K": root}
    reg = bytearray(creg({"Software": root}))
    struct.pack_into("<I", reg, 0x20 + 0x20 + 0x10, 0x20)   # the root's child: the root
    tree = tree9x("4.10.1998", bytes(reg), "Starting Windows 98...", (4, 10, 0, 1998))
    one_fat(path, tree, cylinders=130, boot=BOOT9X, year=1998, oem=b"MSWIN4.1")


def cutregistry(path):
    """SYSTEM.DAT ends in the middle; SYSTEM.DA0 is whole."""
    reg = creg(registry9x("Microsoft Windows 98", "4.10.1998", name="BACKUP"))
    tree = tree9x("4.10.1998", reg[:5000], "Starting Windows 98...", (4, 10, 0, 1998))
    one_fat(path, tree, cylinders=130, boot=BOOT9X, year=1998, oem=b"MSWIN4.1")


def cuthive(path):
    """NT's SYSTEM is cut short, SOFTWARE is noise."""
    import random
    import nt
    tree = nt.tree_nt4()
    tree["BOOT.INI"] = nt.boot_ini("Windows NT Server Version 4.00")
    tree["WINNT/system32/config/SYSTEM"] = tree["WINNT/system32/config/SYSTEM"][:4500]
    tree["WINNT/system32/config/SOFTWARE"] = b"regf" + random.Random(4).randbytes(40000)
    one_fat(path, tree, cylinders=130, boot=nt.NT_BOOT, year=1999)


def extloop(path):
    """An ext2 whose root folder's blocks point at each other and beyond the end."""
    from base import ext
    place, = disk(path, 60, 16, 63, [(0x83, 0, 60, True)])
    ext(path, place, {"etc/hostname": "x\n"}, "ext2", "", options=("-r", "0", "-b", "1024"))
    at = place[0] * SECTOR
    with open(path, "r+b") as f:
        f.seek(at + 1024 * 2 + 8)
        table = struct.unpack("<I", f.read(4))[0]
        f.seek(at + table * 1024 + 128 + 40)
        f.write(struct.pack("<15I", *([table] * 12), table, table, table))
