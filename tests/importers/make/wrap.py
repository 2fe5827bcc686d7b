"""The ways in which a raw disk reaches `holdover import`. A way takes the raw file and an empty folder and gives a Source."""
import os
import shutil
import subprocess

from base import Skip, blank, get, put, run


class Source:
    def __init__(self, *names, stdin=None, options=(), env=None, raw=None, begin=None, end=None):
        self.names, self.stdin, self.options, self.env, self.raw = list(names), stdin, list(options), env or {}, raw
        self.begin, self.end = begin, end               # called around each use: a server that must be there


def tool(name):
    if not shutil.which(name):
        raise Skip(name + " is not installed")
    return name


def raw(disk, folder):
    return Source(disk)


def stdin(disk, folder):
    return Source("-", stdin=disk)


def convert(disk, folder, name, kind, *options):
    to = os.path.join(folder, name)
    run(tool("qemu-img"), "convert", "-f", "raw", "-O", kind, *[w for o in options for w in ("-o", o)], disk, to)
    return to


def qcow(disk, folder): return Source(convert(disk, folder, "disk.qcow", "qcow"))
def qcow2(disk, folder): return Source(convert(disk, folder, "disk.qcow2", "qcow2"))
def qcow2v2(disk, folder): return Source(convert(disk, folder, "disk.qcow2", "qcow2", "compat=0.10"))
def vhd(disk, folder): return Source(convert(disk, folder, "disk.vhd", "vpc", "subformat=dynamic,force_size=on"))
def vhdfixed(disk, folder): return Source(convert(disk, folder, "disk.vhd", "vpc", "subformat=fixed,force_size=on"))
def vhdx(disk, folder): return Source(convert(disk, folder, "disk.vhdx", "vhdx"))
def vhdxfixed(disk, folder): return Source(convert(disk, folder, "disk.vhdx", "vhdx", "subformat=fixed"))
def vdi(disk, folder): return Source(convert(disk, folder, "disk.vdi", "vdi"))
def vdistatic(disk, folder): return Source(convert(disk, folder, "disk.vdi", "vdi", "static=on"))
def vmdk(disk, folder): return Source(convert(disk, folder, "disk.vmdk", "vmdk"))
def vmdkflat(disk, folder): return Source(convert(disk, folder, "disk.vmdk", "vmdk", "subformat=monolithicFlat"))
def vmdksplit(disk, folder): return Source(convert(disk, folder, "disk.vmdk", "vmdk", "subformat=twoGbMaxExtentSparse"))
def vmdksplitflat(disk, folder): return Source(convert(disk, folder, "disk.vmdk", "vmdk", "subformat=twoGbMaxExtentFlat"))
def vmdkstream(disk, folder): return Source(convert(disk, folder, "disk.vmdk", "vmdk", "subformat=streamOptimized"))


def misnamed(disk, folder):
    """The name says one thing, the bytes another: bytes decide."""
    to = os.path.join(folder, "disk.raw")
    os.rename(convert(disk, folder, "disk.vdi", "vdi"), to)
    return Source(to)


def compressed(disk, folder, kind):
    to = os.path.join(folder, "disk.qcow2")
    run(tool("qemu-img"), "convert", "-c", "-f", "raw", "-O", "qcow2", "-o", "compression_type=" + kind, disk, to)
    return Source(to)


def qcow2zlib(disk, folder): return compressed(disk, folder, "zlib")
def qcow2zstd(disk, folder): return compressed(disk, folder, "zstd")


def overlay(disk, folder, kind, name):
    """A differencing image whose changes stand in it: the whole disk is the two together."""
    base = convert(disk, folder, "base." + kind, kind)
    top = os.path.join(folder, name)
    run("qemu-img", "create", "-q", "-f", kind, "-b", os.path.basename(base), "-F", kind, top)
    whole = os.path.join(folder, "whole.raw")
    run("cp", "--sparse=always", disk, whole)
    middle = os.path.getsize(disk) // 2 & ~0xffff
    run(tool("qemu-io"), "-f", kind, "-c", "write -P 0x5a %d 64k" % middle, top)
    put(whole, middle, b"\x5a" * 65536)
    return top, base, whole


def qcow2chain(disk, folder):
    top, base, whole = overlay(disk, folder, "qcow2", "top.qcow2")
    return Source(top, options=["--parent", base], raw=whole)


def qcow2unnamed(disk, folder):
    return Source(overlay(disk, folder, "qcow2", "top.qcow2")[0])


def vmdkchain(disk, folder):
    top, base, whole = overlay(disk, folder, "vmdk", "top.vmdk")
    return Source(top, options=["--parent", base], raw=whole)


def vmdkunnamed(disk, folder):
    return Source(overlay(disk, folder, "vmdk", "top.vmdk")[0])


def e01(disk, folder, *options):
    with open(disk, "rb") as f:
        run(tool("ewfacquirestream"), "-q", "-t", os.path.join(folder, "case"), "-C", "17", "-D", "an old disk", "-e", "test", "-E", "1", "-c", "fast",
            "-b", "64", *options, stdin=f)
    return Source(os.path.join(folder, "case.E01"))


def e01split(disk, folder):
    source = e01(disk, folder, "-S", "1M")
    if not os.path.exists(os.path.join(folder, "case.E02")):
        raise RuntimeError("ewfacquirestream made one segment")
    return source


def packed(disk, folder, program, name, *options):
    to = os.path.join(folder, name)
    with open(to, "wb") as f:
        subprocess.run([tool(program), "-c", *options, disk], stdout=f, check=True)
    return Source(to)


def gz(disk, folder): return packed(disk, folder, "gzip", "disk.gz", "-1")
def bz2(disk, folder): return packed(disk, folder, "bzip2", "disk.bz2", "-1")
def xz(disk, folder): return packed(disk, folder, "xz", "disk.xz", "-0")
def zst(disk, folder): return packed(disk, folder, "zstd", "disk.zst", "-1")


def gzstdin(disk, folder):
    return Source("-", stdin=gz(disk, folder).names[0])


def gzmembers(disk, folder):
    """Two gzip streams, one behind the other, as two runs of `dd | gzip >>` leave them."""
    half = os.path.getsize(disk) // 2
    to = os.path.join(folder, "disk.gz")
    for skip, count in ((0, half), (half, os.path.getsize(disk) - half)):
        run("sh", "-c", "tail -c +%d '%s' | head -c %d | gzip -1 >>'%s'" % (skip + 1, disk, count, to))
    return Source(to)


def split(disk, folder):
    run("split", "-b", "9000000", "-a", "3", "--numeric-suffixes=1", disk, os.path.join(folder, "disk."))
    return Source(os.path.join(folder, "disk.001"))


def ova(disk, folder):
    """A machine of one disk as its OVF describes it, in a tar of our own."""
    inner = vmdkstream(disk, folder).names[0]
    ovf = ('<?xml version="1.0"?><Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"'
           ' xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"><References><File ovf:href="machine-disk1.vmdk"'
           ' ovf:id="file1" ovf:size="%d"/></References><DiskSection><Info>disks</Info><Disk ovf:capacity="%d" ovf:diskId="vmdisk1" ovf:fileRef="file1"'
           ' ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/></DiskSection><VirtualSystem ovf:id="old">'
           '<Info>an old machine</Info><Name>old</Name><VirtualHardwareSection><Info>hardware</Info><Item><rasd:ElementName>disk1</rasd:ElementName>'
           '<rasd:HostResource>ovf:/disk/vmdisk1</rasd:HostResource><rasd:InstanceID>5</rasd:InstanceID><rasd:ResourceType>17</rasd:ResourceType>'
           '</Item></VirtualHardwareSection></VirtualSystem></Envelope>' % (os.path.getsize(inner), os.path.getsize(disk)))
    to = os.path.join(folder, "machine.ova")
    with open(inner, "rb") as f:
        tar(to, [("machine.ovf", ovf.encode()), ("machine-disk1.vmdk", f.read())])
    return Source(to)


def tar(path, members):
    """ustar: headers of 512 bytes with octal numbers, contents padded to 512, two empty blocks."""
    with open(path, "wb") as f:
        for name, data in members:
            head = bytearray(512)
            head[0:len(name)] = name.encode()
            head[100:108], head[108:116], head[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
            head[124:136], head[136:148] = b"%011o\0" % len(data), b"%011o\0" % 930000000
            head[148:156], head[156:157], head[257:265] = b" " * 8, b"0", b"ustar\00000"
            head[148:156] = b"%06o\0 " % sum(head)
            f.write(bytes(head) + data + bytes(-len(data) % 512))
        f.write(bytes(1024))


def ssh(disk, folder):
    """A machine that needs only sh and dd: an ssh in PATH that runs what it is told, here, on the disk as /dev/hda."""
    place = os.path.join(folder, "bin")
    os.makedirs(place)
    with open(os.path.join(place, "ssh"), "w") as f:
        f.write("#!/bin/sh\n# the last word is the command; /dev/hda is a file here\nfor last; do :; done\n"
                "command=$(printf '%%s' \"$last\" | sed 's#/dev/hda#%s#g')\nexec sh -c \"$command\"\n" % os.path.abspath(disk))
    os.chmod(os.path.join(place, "ssh"), 0o755)
    return Source("ssh://root@oldbox/dev/hda", env={"PATH": place + ":" + os.environ["PATH"]})


def nbd_server(disk, folder, *filters):
    """nbdkit, started for each use: version 1.32 aborts when a client leaves in the middle of a read."""
    socket = os.path.join(folder, "nbd")
    started = []

    def begin():
        if os.path.exists(socket):
            os.unlink(socket)
        names = ["--filter=" + f.split()[0] for f in filters]
        words = [w for f in filters for w in f.split()[1:]]
        started.append(subprocess.Popen([tool("nbdkit"), "-f", "-r", "-U", socket, *names, "file", disk, *words], stderr=subprocess.DEVNULL))
        for _ in range(200):
            if os.path.exists(socket):
                return
            try:
                started[-1].wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            raise RuntimeError("nbdkit did not start")

    def end():
        started.pop().terminate()
    return Source("nbd+unix:///?socket=" + socket, begin=begin, end=end)


def nbd(disk, folder):
    return nbd_server(disk, folder)


BAD = ((0x100000, 0x1000), (0x800000, 0x200))        # what cannot be read


def badsectors(disk, folder):
    size, at, lines = os.path.getsize(disk), 0, ""
    whole = os.path.join(folder, "whole.raw")
    run("cp", "--sparse=always", disk, whole)
    for start, length in BAD:
        lines += "0x%x 0x%x +\n0x%x 0x%x -\n" % (at, start - at, start, length)
        at = start + length
        put(whole, start, bytes(length))
    lines += "0x%x 0x%x +\n" % (at, size - at)
    with open(os.path.join(folder, "map"), "w") as f:
        f.write("# Mapfile. Created by GNU ddrescue version 1.27\n0x0 + 1\n" + lines)
    source = nbd_server(disk, folder, "noextents", "ddrescue ddrescue-mapfile=" + os.path.join(folder, "map"))
    source.raw = whole
    return source


def ddrescuemap(disk, folder):
    """A copy that ddrescue made, with the map of what it could not read."""
    source = badsectors(disk, folder)
    return Source(source.raw, options=["--ddrescue-map", os.path.join(folder, "map")])


def cut(disk, folder, keep=0.6, odd=0):
    to = os.path.join(folder, "cut.dd")
    run("cp", "--sparse=always", disk, to)
    os.truncate(to, (int(os.path.getsize(disk) * keep) & ~511) + odd)
    return Source(to)


def truncated(disk, folder): return cut(disk, folder)
def odd(disk, folder): return cut(disk, folder, 1, 77)
def oddshort(disk, folder): return cut(disk, folder, 0.5, 301)


# --- what must be refused -----------------------------------------------------------------------------------------------
def written(folder, name, data):
    to = os.path.join(folder, name)
    with open(to, "wb") as f:
        f.write(data)
    return Source(to)


def empty(disk, folder): return written(folder, "empty.img", b"")
def text(disk, folder): return written(folder, "notes.txt", b"This is a note about a disk, not a disk.\n" * 40)
def absent(disk, folder): return Source(os.path.join(folder, "no-such-disk.img"))
def emptystdin(disk, folder): return Source("-", stdin="/dev/null")


def vmdk_text(extent, size=2048):
    return ('# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="monolithicFlat"\n\n# Extent description\nRW %d FLAT "%s" 0\n\n'
            '# The Disk Data Base\n#DDB\nddb.adapterType = "ide"\nddb.geometry.cylinders = "2"\nddb.geometry.heads = "16"\nddb.geometry.sectors = "63"\n' % (size, extent)).encode()


def vmdkpasswd(disk, folder): return written(folder, "disk.vmdk", vmdk_text("/etc/passwd", 4))


def vmdkup(disk, folder):
    inner = os.path.join(folder, "inner")
    os.makedirs(inner)
    blank(os.path.join(folder, "secret.img"), 1 << 20)
    return written(inner, "disk.vmdk", vmdk_text("../secret.img"))


def vmdklink(disk, folder):
    """The extent is a name beside the image, but a link to elsewhere."""
    os.symlink("/etc/passwd", os.path.join(folder, "flat.vmdk"))
    return written(folder, "disk.vmdk", vmdk_text("flat.vmdk", 4))


def ovf_of(href):
    return ('<?xml version="1.0"?><Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"><References>'
            '<File ovf:href="%s" ovf:id="file1"/></References><DiskSection><Info>d</Info><Disk ovf:capacity="1048576" ovf:diskId="d1" ovf:fileRef="file1"/>'
            '</DiskSection></Envelope>' % href).encode()


def ovaup(disk, folder):
    to = os.path.join(folder, "up.ova")
    tar(to, [("m.ovf", ovf_of("../../../../etc/passwd")), ("../../../../etc/passwd", bytes(4096))])
    return Source(to)


def ovaabsolute(disk, folder):
    to = os.path.join(folder, "up.ova")
    tar(to, [("m.ovf", ovf_of("/etc/passwd")), ("/etc/passwd", bytes(4096))])
    return Source(to)


def ovabomb(disk, folder):
    """An OVF whose entities double twenty times."""
    lines = "".join('<!ENTITY a%d "&a%d;&a%d;">' % (n + 1, n, n) for n in range(40))
    to = os.path.join(folder, "bomb.ova")
    tar(to, [("m.ovf", ('<?xml version="1.0"?><!DOCTYPE Envelope [<!ENTITY a0 "x">%s]><Envelope>&a40;</Envelope>' % lines).encode())])
    return Source(to)


def qcow2passwd(disk, folder):
    """A qcow2 whose backing file is a file of the host."""
    to = os.path.join(folder, "disk.qcow2")
    run(tool("qemu-img"), "create", "-q", "-f", "qcow2", "-u", "-b", "/etc/passwd", "-F", "raw", to, "1M")
    return Source(to)


def shorten(source, part):
    path = source.names[0]
    os.truncate(path, int(os.path.getsize(path) * part))
    return source


def e01cut(disk, folder): return shorten(e01(disk, folder), 0.6)
def vmdkcut(disk, folder): return shorten(vmdkstream(disk, folder), 0.5)
def vhdcut(disk, folder): return shorten(vhd(disk, folder), 0.5)
def gzcut(disk, folder): return shorten(gz(disk, folder), 0.5)
def xzcut(disk, folder): return shorten(xz(disk, folder), 0.5)


def e01missing(disk, folder):
    """The second segment of three is gone."""
    source = e01split(disk, folder)
    os.unlink(os.path.join(folder, "case.E02"))
    return source


def e01flipped(disk, folder):
    """A byte of the data was changed after the copy was made: its chunk's checksum fails."""
    source = e01(disk, folder)
    source.raw = ""
    at = os.path.getsize(source.names[0]) // 2
    put(source.names[0], at, bytes([get(source.names[0], at, 1)[0] ^ 0x40]))
    return source


def splitgap(disk, folder):
    source = split(disk, folder)
    os.unlink(os.path.join(folder, "disk.002"))
    return source


def folder_fat(disk, folder):
    """A folder of files becomes a FAT disk."""
    place = os.path.join(folder, "files")
    os.makedirs(os.path.join(place, "DATA"))
    for name, data in (("README.TXT", b"old files\r\n"), ("DATA/STOCK.DBF", b"\x03" + bytes(500)), ("DATA/A long name.txt", b"x")):
        with open(os.path.join(place, name), "wb") as f:
            f.write(data)
    return Source(place, raw="")


def two(disk, folder):
    """Two disks of one machine."""
    second = os.path.join(folder, "second.raw")
    blank(second, 8 << 20)
    put(second, 4096, b"the second disk")
    return Source(disk, second)


def iso(disk, folder):
    """A CD like Windows 98's: its label, its SETUP.EXE and cabinets, an El Torito boot floppy."""
    place = os.path.join(folder, "files")
    os.makedirs(os.path.join(place, "WIN98"))
    for name, data in (("SETUP.EXE", b"MZ" + bytes(62)), ("AUTORUN.INF", b"[autorun]\r\nOPEN=AUTORUN.EXE\r\n"), ("WIN98/SETUP.EXE", b"MZ" + bytes(62)),
                       ("WIN98/WIN98_21.CAB", b"MSCF" + bytes(60)), ("WIN98/BASE4.CAB", b"MSCF" + bytes(60)), ("BOOT.IMG", bytes(1474560))):
        with open(os.path.join(place, name), "wb") as f:
            f.write(data)
    to = os.path.join(folder, "win98.iso")
    run(tool("xorriso"), "-as", "mkisofs", "-quiet", "-V", "WIN98_SE", "-b", "BOOT.IMG", "-c", "BOOT.CAT", "-o", to, place)
    return Source(to)


def cue(disk, folder):
    """The same as a raw image of 2352 bytes a sector with its cue sheet."""
    data = open(iso(disk, folder).names[0], "rb").read()
    with open(os.path.join(folder, "win98.bin"), "wb") as f:
        for n in range(len(data) // 2048):
            frame = n + 150
            bcd = lambda v: v // 10 * 16 + v % 10
            head = b"\0" + b"\xff" * 10 + b"\0" + bytes([bcd(frame // 4500), bcd(frame // 75 % 60), bcd(frame % 75), 1])
            f.write(head + data[n * 2048:n * 2048 + 2048] + bytes(288))
    sheet = written(folder, "win98.cue", b'FILE "win98.bin" BINARY\r\n  TRACK 01 MODE1/2352\r\n    INDEX 01 00:00:00\r\n')
    sheet.raw = os.path.join(folder, "win98.iso")
    return sheet
