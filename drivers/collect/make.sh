#!/bin/sh
# Makes COLLECT.BAT of collect.nasm: a batch file that is its own script for DEBUG, lines of at most 16 bytes each.
#   make.sh [FILE]      default: COLLECT.BAT beside this script
set -eu
here=$(dirname "$0")
out=${1:-$here/COLLECT.BAT}
com=$(mktemp)
trap 'rm -f "$com"' EXIT
nasm -f bin -o "$com" "$here/collect.nasm"
{
    echo '@echo off'
    echo 'goto run'
    echo 'n collect.com'
    at=256
    od -An -v -tx1 -w16 "$com" | while read -r bytes; do
        printf 'e %04x %s\n' $at "$bytes"
        at=$((at + 16))
    done
    printf 'rcx\n%x\nw\nq\n' "$(wc -c <"$com")"
    cat <<'EOF'
:run
rem The identity of an old PC, for holdover import --identity: see docs/identity.md.
rem Run it in DOS, best not in a window of Windows, from a folder or floppy disk that can be written. It needs DEBUG.
rem It makes COLLECT.COM, and with that IDENTITY.TXT, the file to bring along.
debug <collect.bat >nul
if not exist collect.com goto none
collect >identity.txt
rem   (the line above finds COLLECT.COM before this file)
goto end
:none
echo COLLECT.COM could not be made: is DEBUG in the PATH, and this file called COLLECT.BAT in the current folder?
:end
EOF
} | sed 's/$/\r/' >"$out"
