#!/bin/sh
# Interpreter and translator in lock-step: random sequences of instructions, then whole guests (build/tests/lockstep). The first difference is
# narrowed, printed, and ends the run with 1.
#   LOCKSTEP_CASES    random sequences (200000), each kind of the suite's lockstep/*; 0: none
#   LOCKSTEP_FIRST    the first seed (1)
#   LOCKSTEP_GUESTS   of freedos, emm386, memtest, invaders, linux ("freedos emm386 memtest linux"); those whose media are absent are skipped
#   LOCKSTEP_SECONDS  guest seconds of Linux (40), 100 million instructions each; the others take what they need
set -u
cd "$(dirname "$0")/.." || exit 1
O=${O:-build}
corpus=../shared/corpus/freedos
cases=${LOCKSTEP_CASES:-200000}
failed=0

run() {                 # name, arguments of build/tests/lockstep
    name=$1; shift
    start=$(date +%s)
    if "$O/tests/lockstep" "$@"; then echo "ok   $name ($(($(date +%s) - start)) s)"; else failed=1; echo "FAIL $name"; fi
}
has() { [ -r "$1" ] || { echo "SKIP lockstep.$2: $1 is absent"; return 1; }; }
prepared() { [ -r "$O/guests/$2" ] || O=$O tests/guests/prepare.sh "$1" >/dev/null || { echo "SKIP lockstep.$1: it cannot be fetched"; return 1; }; }

if [ "$cases" != 0 ]; then
    HOLDOVER_LOCKSTEP=$cases HOLDOVER_LOCKSTEP_FIRST=${LOCKSTEP_FIRST:-1} "$O/tests/engine-suite" -j2 --filter 'lockstep/*' --timeout 360000 || failed=1
fi
for guest in ${LOCKSTEP_GUESTS-freedos emm386 memtest linux}; do
    case $guest in
    freedos) has $corpus/freedos-boot-1440.img freedos && run freedos --floppy $corpus/freedos-boot-1440.img --seconds 4 ;;
    # y to HIGH, HIMEM and EMM386, n to UMBPCI: from EMM386 on DOS runs in V86 mode
    emm386) has $corpus/freedos-std-1440.img emm386 &&
        run emm386 --floppy $corpus/freedos-std-1440.img --seconds 12 --press 5000:1c,5600:1c,6400:1c,7400:11 ;;
    memtest) prepared memtest memtest && run memtest --kernel "$O/guests/memtest" --seconds 4 --memory 32M ;;
    invaders) prepared invaders invaders && run invaders --kernel "$O/guests/invaders" --seconds 4 --memory 32M ;;
    linux) prepared kernel-686 initrd-686.gz && run linux --kernel "$O/guests/vmlinuz-686" --initrd "$O/guests/initrd-686.gz" \
        --append console=tty0 --seconds "${LOCKSTEP_SECONDS:-40}" --step 100 --memory 128M ;;
    *) echo "lockstep: no guest '$guest'; there are freedos emm386 memtest invaders linux"; failed=1 ;;
    esac
done
[ $failed = 0 ]
