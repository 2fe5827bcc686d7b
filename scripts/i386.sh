#!/bin/sh
# Debian i386 packages without an i386 system: downloads them with apt into a cache and unpacks them with dpkg-deb. No root, nothing
# is installed on this machine.
#   i386.sh fetch DIR PACKAGE...     the packages themselves (newest version of each)
#   i386.sh fetch-all DIR PACKAGE... with all their dependencies
#   i386.sh depends PACKAGE          the package that a kernel metapackage names
set -eu
cache=${HOLDOVER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/holdover}/apt-i386
verb=$1; shift
mkdir -p "$cache/lists/partial" "$cache/archives/partial" "$cache/etc" "$cache/state"
: >"$cache/status"

apt() {
    tool=$1; shift
    "$tool" -q -o APT::Architecture=i386 -o APT::Architectures=i386 -o Dir::State="$cache/state" \
        -o Dir::State::lists="$cache/lists" -o Dir::State::status="$cache/status" -o Dir::Cache="$cache" \
        -o Dir::Cache::archives="$cache/archives" \
        -o Debug::NoLocking=1 -o APT::Sandbox::User= -o APT::Install-Recommends=0 -o Acquire::Languages=none "$@"
}
if [ ! -e "$cache/updated" ] || [ -n "$(find "$cache/updated" -mtime +0)" ]; then
    # one suite that is out of reach (a mirror in the middle of its sync) leaves the others
    apt apt-get update >&2 || echo "i386.sh: not every package list could be fetched; going on with those that were" >&2
    touch "$cache/updated"
fi

case $verb in
depends)
    apt apt-cache depends "$1" | sed -n 's/^ *Depends: \(linux-image[^ ]*\)$/\1/p' | head -n 1
    ;;
fetch)
    dir=$1; shift
    mkdir -p "$dir"
    for package; do
        # an archive that is there and current is not fetched again
        version=$(apt apt-cache show --no-all-versions "$package" | sed -n 's/^Version: //p' | head -n 1 | sed 's/:/%3a/')
        found=$(find "$cache/archives" -name "${package}_${version}_*.deb" | head -n 1)
        if [ -z "$found" ]; then
            (cd "$cache/archives" && apt apt-get download "$package" >&2)
            found=$(find "$cache/archives" -name "${package}_${version}_*.deb" | head -n 1)
        fi
        cp -u "$found" "$dir/"
    done
    ;;
fetch-all)
    dir=$1; shift
    mkdir -p "$dir"
    apt apt-get install -y --download-only --no-install-recommends "$@" >&2
    apt apt-get install -y --no-install-recommends --print-uris "$@" 2>/dev/null | sed -n "s/^'[^']*' \([^ ]*\) .*/\1/p" >"$dir/list" || true
    # what is in the cache already is not printed: take what apt would unpack
    apt apt-get install -y -s --no-install-recommends "$@" | sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1_\2/p' | sed 's/:/%3a/' >"$dir/list"
    while read -r stem; do
        cp -u "$cache/archives/$stem"_*.deb "$dir/"
    done <"$dir/list"
    ;;
*)
    echo "usage: i386.sh fetch|fetch-all DIR PACKAGE... | depends PACKAGE" >&2
    exit 2
    ;;
esac
