"""Writers of the two registry formats: CREG (Windows 95, 98, Me: SYSTEM.DAT, USER.DAT) and regf (NT). A key is a dict: values are
str (REG_SZ), int (REG_DWORD), bytes (REG_BINARY), list (REG_MULTI_SZ); other dicts are keys below it."""
import struct

SZ, EXPAND, BINARY, DWORD, MULTI = 1, 2, 3, 4, 7


class Expand(str):
    """REG_EXPAND_SZ"""


def parts(key):
    return [(n, v) for n, v in key.items() if isinstance(v, dict)], [(n, v) for n, v in key.items() if not isinstance(v, dict)]


# --- CREG ---------------------------------------------------------------------------------------------------------------
def creg_value(name, value):
    if isinstance(value, int):
        kind, data = DWORD, struct.pack("<I", value)
    elif isinstance(value, bytes):
        kind, data = BINARY, value
    else:
        kind, data = SZ, value.encode("latin-1")
    name = name.encode("latin-1")
    return struct.pack("<IIHH", kind, 0, len(name), len(data)) + name + data


def creg(root, version=0x10000, block_most=0x8000):
    """RGKN: the tree of keys, 28 bytes each; RGDB blocks: names and values, found by (key number, block number)."""
    keys = []                           # [parent, name, values, first child, next sibling]

    def add(parent, name, key):
        me = len(keys)
        below, values = parts(key)
        keys.append([parent, name, values, -1, -1])
        last = -1
        for child_name, child in below:
            n = add(me, child_name, child)
            if last < 0:
                keys[me][3] = n
            else:
                keys[last][4] = n
            last = n
        return me
    add(-1, "", root)
    # records into blocks of at most block_most bytes
    blocks, records = [[]], []
    size = 0x20
    for n, (_, name, values, _, _) in enumerate(keys):
        if n == 0:
            records.append((0xffff, 0xffff, b""))
            continue
        raw = name.encode("latin-1")
        data = b"".join(creg_value(*v) for v in values)
        used = 20 + len(raw) + len(data)
        if size + used > block_most or len(blocks[-1]) == 254:
            blocks.append([])
            size = 0x20
        number = len(blocks[-1])
        blocks[-1].append(struct.pack("<IHHIHHI", used, number, len(blocks) - 1, used, len(raw), len(values), 0) + raw + data)
        records.append((number, len(blocks) - 1, raw))
        size += used
    rgkn = b""
    for (_, _, _, child, sibling), parent, (number, block, raw) in zip(keys, (k[0] for k in keys), records):
        at = lambda n: 0xffffffff if n < 0 else 0x20 + n * 28
        code = sum(c for c in raw.upper()) & 0xffffffff      # the hash: the sum of the upper-case letters
        rgkn += struct.pack("<IIIIIIHH", 0, 0xffffffff if not raw else code, 0xffffffff, at(parent), at(child), at(sibling), number, block)
    rgkn_size = 0x20 + len(rgkn)
    rgkn_size += -rgkn_size % 0x1000
    header = struct.pack("<4sIIII", b"RGKN", rgkn_size, 0x20, rgkn_size - 0x20 - len(rgkn), 0).ljust(0x20, b"\0")
    body = (header + rgkn).ljust(rgkn_size, b"\0")
    for n, block in enumerate(blocks):
        used = 0x20 + sum(map(len, block))
        whole = used + -used % 0x1000
        body += (struct.pack("<4sIIHHIHHII", b"RGDB", whole, whole - used, 0, n, used if used < whole else 0xffffffff, len(block), len(block), 0, 0) +
                 b"".join(block)).ljust(whole, b"\0")
    first = struct.pack("<4sIIIHHI", b"CREG", version, 0x20 + rgkn_size, 0, len(blocks), 0, 1).ljust(0x20, b"\0")
    return first + body


# --- regf ---------------------------------------------------------------------------------------------------------------
class Regf:
    def __init__(self, minor, stamp):
        self.cells, self.minor, self.stamp = bytearray(), minor, stamp

    def cell(self, data):
        """Appends an allocated cell; bins are cut later, so a cell never crosses a multiple of 4096 unless it is longer."""
        size = 4 + len(data)
        size += -size % 8
        page = len(self.cells) % 4096 or 0
        if not page:
            self.begin(max(4096, 32 + size + -(32 + size) % 4096))
        elif page + size > 4096:
            self.fill()
            self.begin(max(4096, 32 + size + -(32 + size) % 4096))
        at = len(self.cells)
        self.cells += struct.pack("<i", -size) + data.ljust(size - 4, b"\0")
        if len(self.cells) > self.end:
            raise RuntimeError("a cell beyond its bin")
        if size + 32 > 4096:
            self.fill()
        return at

    def begin(self, size):
        self.end = len(self.cells) + size
        self.cells += struct.pack("<4sIIQQI", b"hbin", len(self.cells), size, 0, self.stamp, 0)

    def fill(self):
        left = self.end - len(self.cells) if self.cells else 0
        if left:
            self.cells += struct.pack("<i", left) + bytes(left - 4)

    def value(self, name, value):
        if isinstance(value, bool) or isinstance(value, int):
            kind, data = DWORD, struct.pack("<I", value)
        elif isinstance(value, bytes):
            kind, data = BINARY, value
        elif isinstance(value, (list, tuple)):
            kind, data = MULTI, ("".join(v + "\0" for v in value) + "\0").encode("utf-16-le")
        else:
            kind, data = (EXPAND if isinstance(value, Expand) else SZ), (value + "\0").encode("utf-16-le")
        if len(data) <= 4:
            size, where = len(data) | 0x80000000, struct.unpack("<I", data.ljust(4, b"\0"))[0]
        else:
            size, where = len(data), self.cell(data)
        raw = name.encode("latin-1")
        return self.cell(struct.pack("<2sHIIIHH", b"vk", len(raw), size, where, kind, 1 if raw else 0, 0) + raw)

    def key(self, name, key, parent, security, at=None):
        below, values = parts(key)
        raw = name.encode("latin-1")
        root = at is not None
        at = self.cell(bytes(76 + len(raw))) if at is None else at
        listed = [self.value(*v) for v in values]
        values_at = self.cell(struct.pack("<%dI" % len(listed), *listed)) if listed else 0xffffffff
        below.sort(key=lambda k: k[0].upper())
        made = [(self.key(n, k, at, security), n) for n, k in below]
        keys_at = 0xffffffff
        if made:
            lines = b"".join(struct.pack("<I4s", a, n.encode("latin-1")[:4].ljust(4, b"\0")) for a, n in made)
            keys_at = self.cell(struct.pack("<2sH", b"lf", len(made)) + lines)
        longest = lambda texts: max([len(t) * 2 for t in texts] or [0])
        nk = struct.pack("<2sHQIIIIIIIIIIIIIIIHH", b"nk", 0x2c if root else 0x20, self.stamp, 0, parent if not root else 0, len(made), 0,
                         keys_at, 0xffffffff, len(listed), values_at, security, 0xffffffff, longest([n for n, _ in below]), 0,
                         longest([n for n, _ in values]), 64, 0, len(raw), 0)
        self.cells[at + 4:at + 4 + len(nk) + len(raw)] = nk + raw
        return at


def regf(root, minor=3, year=1999, name="CMI-CreateHive"):
    stamp = ((year - 1601) * 31556952 + 86400 * 60) * 10000000
    r = Regf(minor, stamp)
    descriptor = bytes.fromhex("01000480" "30000000" "40000000" "00000000" "14000000" "02001c0001000000" "00001400" "3f000f00"
                               "010100000000000100000000" "0102000000000005" "2000000020020000" "010100000000000512000000")
    # the root key is the first cell, its security descriptor is filled in behind it
    at = r.cell(bytes(76 + len(name)))
    security = r.cell(struct.pack("<2sHIIII", b"sk", 0, 0, 0, 1, len(descriptor)) + descriptor)
    struct.pack_into("<II", r.cells, security + 8, security, security)
    r.key(name, root, 0, security, at)
    r.fill()
    header = struct.pack("<4sIIQIIIIIII", b"regf", 7, 7, stamp, 1, minor, 0, 1, at, len(r.cells), 1).ljust(508, b"\0")
    check = 0
    for word in struct.unpack("<127I", header):
        check ^= word
    header += struct.pack("<I", check if check not in (0, 0xffffffff) else (1 if not check else 0xfffffffe))
    return header.ljust(4096, b"\0") + bytes(r.cells)
