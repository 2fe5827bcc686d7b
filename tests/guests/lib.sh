# Helpers of the guest cases; sourced by run.sh with the variables O, holdover, corpus, work, here set.
set -eu
PATH=$PATH:/sbin:/usr/sbin

need() {                # file... : skip when one is absent
    for file; do
        [ -e "$file" ] || { echo "$file is absent"; exit 77; }
    done
}
prepare() { O=$O $here/prepare.sh "$@"; }
boot() { printf "+ holdover boot %s\n" "$*"; "$holdover" boot --headless "$@"; }
# A check of an image with the peer's own tool, when it is installed.
image_ok() {
    command -v qemu-img >/dev/null || return 0
    qemu-img check -q -f qcow2 "$1" && [ "$(qemu-img check -f qcow2 --output json "$1" | grep -c leaks)" = 0 ]
}
memory_free_mib() { awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo; }
