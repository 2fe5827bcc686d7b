#!/bin/sh
# Installs what building, testing and the demo need on Debian 12; does nothing when all of it is there.
#   deps.sh [build|all]     build: compiler and libraries only; all (default): also what tests and the demo use
set -eu

build="gcc make libc6-dev binutils pkg-config nasm zlib1g-dev libpng-dev libsdl2-dev libjansson-dev libssl-dev libcdio-dev
       libiso9660-dev libinih-dev libdeflate-dev libguestfs-dev libslirp-dev libbz2-dev liblzma-dev
       libzstd-dev libewf-dev libnbd-dev libxml2-dev seabios"
tests="libcriterion-dev clang libclang-rt-14-dev qemu-utils qemu-system-x86 ipxe-qemu e2fsprogs dosfstools mtools fakeroot cpio xorriso
       supermin libguestfs-tools linux-image-cloud-amd64 xvfb xauth xdotool imagemagick file fdisk bzip2 xz-utils zstd kmod nbdkit
       ca-certificates python3 ntfs-3g ewf-tools poppler-utils ghostscript iproute2"
wanted=$build
[ "${1:-all}" = build ] || wanted="$build $tests"

missing=
for package in $wanted; do
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
    "install ok installed") ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "deps: these packages are missing and need root to install: apt-get install$missing" >&2
        exit 1
    }
    as_root=sudo
fi
echo "deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -q
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
