#!/bin/sh
# Checks that every #include follows the arrows of docs/architecture.md. Prints each one that does not.
#   base <- core <- x86 <- engine <- boards; devices -> core, base, block/block.h, net/net.h, their bus headers
set -eu
cd "$(dirname "$0")/.."

find hypervisor importers console drivers -name '*.[ch]' | sort | xargs awk '
function room(path,   p) {
    sub(/^hypervisor\//, "", path)
    split(path, p, "/")
    return p[1]
}
BEGIN {
    may["base"] = "base"
    may["core"] = "base core"
    may["x86"] = "base core x86"
    may["engine"] = "base core x86 engine"
    may["block"] = "base block"
    may["net"] = "base core net"
    may["profile"] = "base profile"
    may["devices"] = "base core"
    may["boards"] = "boards base core x86 engine devices block net profile hypervisor.h"
    may["hypervisor.h"] = "base core block profile"
    may["importers"] = "base block profile importers"
    may["console"] = "base console"
    allowed["devices"] = " block/block.h net/net.h devices/pci.h devices/ata.h devices/ps2.h devices/serial.h devices/scsi.h devices/cdrom.h devices/dma.h devices/vga.h devices/dp8390.h devices/mii.h devices/nm93c46.h devices/devices.def "
    allowed["console"] = " hypervisor.h importers/importer.h "
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
    match($0, /"[^"]*"/)
    to = substr($0, RSTART + 1, RLENGTH - 2)
    from = room(FILENAME)
    if (to !~ /\//) { if (to == "hypervisor.h") target = to; else target = from }
    else target = room(to)
    if (index(" " may[from] " ", " " target " ")) next
    if (index(allowed[from], " " to " ")) next
    stem = FILENAME; sub(/^hypervisor\//, "", stem); sub(/(_[a-z0-9]+)?\.[ch]$/, "", stem)
    own = to; sub(/\.h$/, "", own)
    full = FILENAME; sub(/^hypervisor\//, "", full); sub(/\.[ch]$/, "", full)
    if (from == "devices" && (own == stem || own == full)) next     # a chip and its own header
    print FILENAME ":" FNR ": " from " may not include " to
    bad = 1
}
END { exit bad }'
