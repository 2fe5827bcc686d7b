"""What the makers of old disks share: bytes, partition tables, file systems. Nothing here needs root; nothing is mounted."""
import ctypes
import os
import shutil
import struct
import subprocess
import tempfile
import time

os.environ["PATH"] += ":/sbin:/usr/sbin"
os.environ["MTOOLS_SKIP_CHECK"] = "1"
SECTOR = 512


class Skip(Exception):
    """What a case needs is not on this machine."""


def run(*words, **more):
    """Runs a host tool; what it says is shown only when it fails."""
    done = subprocess.run([str(w) for w in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    if done.returncode:
        raise RuntimeError("%s: %s" % (" ".join(map(str, words)), done.stdout.decode(errors="replace").strip()))
    return done.stdout


def put(path, at, data):
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(data)


def get(path, at, length):
    with open(path, "rb") as f:
        f.seek(at)
        return f.read(length)


def blank(path, size):
    with open(path, "wb") as f:
        f.truncate(size)


def copy_data(source, to, at=0):
    """Writes what a file holds, not its holes, to another from byte `at` on."""
    with open(source, "rb") as f, open(to, "r+b") as out:
        end, here = os.fstat(f.fileno()).st_size, 0
        while here < end:
            try:
                here = os.lseek(f.fileno(), here, os.SEEK_DATA)
            except OSError:
                return
            stop = os.lseek(f.fileno(), here, os.SEEK_HOLE)
            f.seek(here)
            out.seek(at + here)
            while here < stop:
                piece = f.read(min(1 << 20, stop - here))
                out.write(piece)
                here += len(piece)


# --- partition tables -------------------------------------------------------------------------------------------------
def chs_bytes(lba, heads, sectors):
    cylinder, rest = divmod(lba, heads * sectors)
    head, sector = divmod(rest, sectors)
    if cylinder > 1023:
        cylinder, head, sector = 1023, heads - 1, sectors - 1
    return bytes([head, (sector + 1) | (cylinder >> 2 & 0xc0), cylinder & 255])


def entry(kind, start, count, geometry, active=False, relative=None):
    """One line of a partition table; CHS is of `start`, the stored number may be relative (logical drives)."""
    first = chs_bytes(start, *geometry)
    last = chs_bytes(start + count - 1, *geometry)
    return struct.pack("<B3sB3sII", 0x80 if active else 0, first, kind, last, start if relative is None else relative, count)


def boot_code(text=b""):
    """An MBR's or boot sector's code that does nothing but say what it is in its bytes."""
    return (b"\xfa\x33\xc0\x8e\xd0\xbc\x00\x7c\xfb\xf4\xeb\xfd" + text)[:440].ljust(440, b"\0")


def mbr(path, entries, code=None, disk_id=0, at=0):
    sector = (code or boot_code()) + struct.pack("<IH", disk_id, 0) + b"".join(entries).ljust(64, b"\0") + b"\x55\xaa"
    put(path, at * SECTOR, sector)


def disk(path, cylinders, heads, sectors, parts, code=None, disk_id=0):
    """A blank disk with primary partitions [(type, first cylinder, cylinders, active)]. Gives (start, sectors) of each: the first
    begins on head 1 of cylinder 0, as FDISK did it."""
    blank(path, cylinders * heads * sectors * SECTOR)
    places, lines = [], []
    for kind, first, count, active in parts:
        start = first * heads * sectors if first else sectors
        places.append((start, (first + count) * heads * sectors - start))
        lines.append(entry(kind, *places[-1], (heads, sectors), active))
    mbr(path, lines, code, disk_id)
    return places


def logical(path, extended, sizes, geometry):
    """Fills an extended partition (start, sectors) with logical drives [(type, cylinders)]."""
    heads, sectors = geometry
    at, places = extended[0], []
    for n, (kind, cylinders) in enumerate(sizes):
        start, length = at + sectors, cylinders * heads * sectors - sectors
        lines = [entry(kind, start, length, geometry, relative=sectors)]
        if n + 1 < len(sizes):
            nxt = at + cylinders * heads * sectors
            lines.append(entry(5, nxt, sizes[n + 1][1] * heads * sectors, geometry, relative=nxt - extended[0]))
        mbr(path, lines, bytes(440), at=at)
        places.append((start, length))
        at += cylinders * heads * sectors
    return places


# --- file trees: {"DIR/NAME": bytes or str}; a name that ends in / is an empty folder -----------------------------------
def spread(tree, folder, when=None):
    for name, data in tree.items():
        path = os.path.join(folder, name)
        os.makedirs(path if name.endswith("/") else os.path.dirname(path), exist_ok=True)
        if not name.endswith("/"):
            with open(path, "wb") as f:
                f.write(data.encode("latin-1") if isinstance(data, str) else data)
            if when:
                os.utime(path, (when, when))
    if when:
        for top, _, _ in os.walk(folder, topdown=False):
            os.utime(top, (when, when))


def fat(path, place, tree, bits=16, oem=b"MSDOS5.0", label=None, geometry=(16, 63), code=b"", when=None, serial="1a2b3c4d", cluster=0,
        hidden=()):
    """A FAT volume at (start, sectors) of a file, by mkfs.fat and mtools, with the BPB that a FORMAT of its time wrote."""
    start, length = place
    options = ["-F", bits, "-a", "-g", "%d/%d" % geometry, "-h", start, "-i", serial, "--offset", start]
    options += ["-n", label] if label else []
    options += ["-s", cluster] if cluster else []
    run("mkfs.fat", *options, path, length // 2)
    at = start * SECTOR
    sector = bytearray(get(path, at, SECTOR))
    if not struct.unpack_from("<H", sector, 19)[0]:
        struct.pack_into("<I", sector, 32, length)           # mkfs.fat counts in KiB; a FORMAT takes the odd sector too
    sector[3:11] = oem.ljust(8)
    body = 90 if bits == 32 else 62
    sector[body:510] = (b"\xfa\x33\xc0" + code)[:510 - body].ljust(510 - body, b"\0")
    sector[510:] = b"\x55\xaa"
    put(path, at, bytes(sector))
    if bits == 32:
        put(path, at + 6 * SECTOR, bytes(sector))
    if tree:
        image = "%s@@%d" % (path, at)
        with tempfile.TemporaryDirectory() as folder:
            spread(tree, folder, when)
            tops = list(dict.fromkeys(name.split("/")[0] for name in tree))
            run("mcopy", "-i", image, "-s", "-m", "-Q", "-o", *[os.path.join(folder, t) for t in tops], "::")
        for name in hidden:
            run("mattrib", "-i", image, "+h", "+s", "::" + name)
    if when:
        fat_dates(path, place, when)


def fat_dates(path, place, when):
    """Folders and labels, which mtools and mkfs.fat date to today, get the day of all others."""
    then = time.gmtime(when)
    date = struct.pack("<H", (then.tm_year - 1980) << 9 | then.tm_mon << 5 | then.tm_mday)
    with open(path, "r+b") as f:
        at, end = place[0] * SECTOR, (place[0] + place[1]) * SECTOR
        while at < end:
            try:
                at = os.lseek(f.fileno(), at, os.SEEK_DATA) & ~511
            except OSError:
                return
            stop = min(end, os.lseek(f.fileno(), at, os.SEEK_HOLE), at + (16 << 20))
            f.seek(at)
            block = f.read(stop - at)
            for n in range(0, len(block) - 31, 32):
                stamps = {block[n + 16:n + 18], block[n + 18:n + 20], block[n + 24:n + 26]}
                if block[n + 11] & 0x18 and block[n + 11] & 0x0f != 0x0f and len(stamps) == 1 and struct.unpack("<H", stamps.pop())[0] >> 9 >= 44:
                    for field in (16, 18, 24):
                        f.seek(at + n + field)
                        f.write(date)
            at = stop


def ntfs(path, place, tree, label="", heads=255, sectors=63):
    """An NTFS volume at (start, sectors) of a file: mkntfs, then libntfs-3g for folders and files (ntfscp makes no folders)."""
    start, length = place
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path) or ".") as folder:
        part = os.path.join(folder, "part")
        blank(part, length * SECTOR)
        run("mkntfs", "-q", "-F", "-f", "-s", 512, "-p", start, "-H", heads, "-S", sectors, "-L", label, part)
        ntfs_fill(part, tree)
        copy_data(part, path, start * SECTOR)


def ntfs_fill(part, tree):
    lib = ctypes.CDLL("libntfs-3g.so.89")
    p = ctypes.c_void_p
    lib.ntfs_mount.restype = p
    lib.ntfs_pathname_to_inode.restype = p
    lib.ntfs_pathname_to_inode.argtypes = [p, p, ctypes.c_char_p]
    lib.ntfs_create.restype = p
    lib.ntfs_create.argtypes = [p, ctypes.c_uint32, p, ctypes.c_uint8, ctypes.c_uint32]
    lib.ntfs_attr_open.restype = p
    lib.ntfs_attr_open.argtypes = [p, ctypes.c_uint32, p, ctypes.c_uint32]
    lib.ntfs_attr_pwrite.argtypes = [p, ctypes.c_int64, ctypes.c_int64, p]
    lib.ntfs_attr_pwrite.restype = ctypes.c_int64
    for name in ("ntfs_attr_close", "ntfs_inode_close"):
        getattr(lib, name).argtypes = [p]
    lib.ntfs_umount.argtypes = [p, ctypes.c_int]
    volume = lib.ntfs_mount(part.encode(), 0)
    if not volume:
        raise RuntimeError("libntfs-3g cannot open " + part)

    def make(path, mode):
        folder, _, name = path.rpartition("/")
        above = lib.ntfs_pathname_to_inode(volume, None, ("/" + folder).encode())
        wide = name.encode("utf-16-le")
        node = above and lib.ntfs_create(above, 0, wide, len(wide) // 2, mode)
        if not node:
            raise RuntimeError("libntfs-3g cannot make " + path)
        lib.ntfs_inode_close(above)
        return node

    made = set()
    for name, data in tree.items():
        steps = name.rstrip("/").split("/")
        for n in range(1, len(steps) + name.endswith("/")):
            folder = "/".join(steps[:n])
            if folder not in made:
                lib.ntfs_inode_close(make(folder, 0o040000))
                made.add(folder)
        if name.endswith("/"):
            continue
        data = data.encode("latin-1") if isinstance(data, str) else data
        node = make(name, 0o100000)
        stream = lib.ntfs_attr_open(node, 0x80, None, 0)
        if lib.ntfs_attr_pwrite(stream, 0, len(data), data) != len(data):
            raise RuntimeError("libntfs-3g cannot write " + name)
        lib.ntfs_attr_close(stream)
        lib.ntfs_inode_close(node)
    lib.ntfs_umount(volume, 0)


def ext(path, place, tree, kind="ext3", label="", options=(), when=None, folder=None):
    """ext2/ext3 at (start, sectors) of a file, filled by mke2fs itself."""
    start, length = place
    with tempfile.TemporaryDirectory() as made:
        spread(tree, made, when)
        if folder:
            shutil.copytree(folder, made, symlinks=True, dirs_exist_ok=True)
        env = {**os.environ, **({"E2FSPROGS_FAKE_TIME": str(when)} if when else {})}
        run("mke2fs", "-q", "-F", "-t", kind, "-I", 128, "-O", "^dir_index,^resize_inode", "-L", label, "-d", made, *options,
            "-E", "offset=%d,root_owner=0:0" % (start * SECTOR), path, "%dk" % (length // 2), env=env)


# --- programs with the few bytes that tell their version ----------------------------------------------------------------
def wide(text):
    return text.encode("utf-16-le") + b"\0\0"


def version_block(key, value, words, children=b""):
    """VS_VERSIONINFO and its parts: length, length of the value, type, key, value, children; each on a boundary of four."""
    head = wide(key)
    head += bytes(-(6 + len(head)) % 4)
    body = value + bytes(-len(value) % 4) if children else value
    size = 6 + len(head) + len(body) + len(children)
    return struct.pack("<HHH", size, words, 0 if isinstance(value, bytes) and key == "VS_VERSION_INFO" else 1) + head + body + children


def version_resource(version, strings):
    high, low = version[0] << 16 | version[1], version[2] << 16 | version[3]
    fixed = struct.pack("<13I", 0xfeef04bd, 0x10000, high, low, high, low, 0x3f, 0, 0x40004, 2, 0, 0, 0)
    lines = b""
    for key, text in strings.items():
        line = version_block(key, wide(text), len(text) + 1)
        lines += line + bytes(-len(line) % 4)
    table = version_block("040904b0", b"", 0, lines)
    return version_block("VS_VERSION_INFO", fixed, len(fixed), version_block("StringFileInfo", b"", 0, table))


def pe(version=(4, 0, 1381, 1), more=b"", machine=0x14c, **strings):
    """A PE32 file of one section with a version resource: what a reader of versions needs, and nothing that runs."""
    resource = version_resource(version, strings)
    base = 0x1000
    directory = b""
    for n, (key, deeper) in enumerate(((16, True), (1, True), (0x409, False))):
        directory += struct.pack("<IIHHHH", 0, 0, 4, 0, 0, 1) + struct.pack("<II", key, (24 * (n + 1) | 0x80000000) if deeper else 72)
    data = directory + struct.pack("<IIII", base + 88, len(resource), 0, 0) + resource + more
    raw = len(data) + -len(data) % 512
    dos = b"MZ" + bytes(58) + struct.pack("<I", 64)
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", machine, 1, 0x36000000, 0, 0, 224, 0x10e)
    optional = struct.pack("<HBBIIIIIIIIIHHHHHHIIIIHHIIIIII", 0x10b, 6, 0, 0, raw, 0, base, base, base, 0x400000, 0x1000, 512,
                           4, 0, 4, 0, 4, 0, 0, 0x3000, 512, 0, 2, 0, 0x100000, 0x1000, 0x100000, 0x1000, 0, 16)
    optional += bytes(16) + struct.pack("<II", base, len(data)) + bytes(13 * 8)
    section = struct.pack("<8sIIIIIIHHI", b".rsrc", len(data), base, raw, 512, 0, 0, 0, 0, 0x40000040)
    return (dos + coff + optional + section).ljust(512, b"\0") + data.ljust(raw, b"\0")


def ne(version=(3, 10, 0, 103), **strings):
    """A 16-bit Windows program: an NE header, and the version resource that KRNL386 and the drivers carry."""
    fixed = struct.pack("<13I", 0xfeef04bd, 0x10000, version[0] << 16 | version[1], version[2] << 16 | version[3],
                        version[0] << 16 | version[1], version[2] << 16 | version[3], 0x3f, 0, 1, 2, 0, 0, 0)

    def block(key, value, children=b""):
        head = key.encode() + b"\0"
        head += bytes(-(4 + len(head)) % 4)
        value += bytes(-len(value) % 4)
        return struct.pack("<HH", 4 + len(head) + len(value) + len(children), len(value)) + head + value + children
    lines = b"".join(block(k, v.encode() + b"\0") for k, v in strings.items())
    resource = block("VS_VERSION_INFO", fixed, block("StringFileInfo", b"", block("040904E4", b"", lines)))
    at = 0x200
    dos = (b"MZ" + bytes(58) + struct.pack("<I", 64)).ljust(64, b"\0")
    table = struct.pack("<H", 4) + struct.pack("<HHI", 0x8010, 1, 0) + struct.pack("<HHHHHH", at >> 4, (len(resource) + 15) >> 4, 0x30, 0x8001, 0, 0)
    table += struct.pack("<H", 0)
    # 64 bytes of header: the resource table is right behind it
    header = bytearray(64)
    header[0:4] = b"NE\x05\x0a"
    struct.pack_into("<H", header, 0x22, 64)                # segment table: none
    struct.pack_into("<H", header, 0x24, 64)                # resource table
    struct.pack_into("<H", header, 0x26, 64 + len(table))   # resident names
    header[0x36] = 2                                        # for Windows
    return (dos + bytes(header) + table).ljust(at, b"\0") + resource
