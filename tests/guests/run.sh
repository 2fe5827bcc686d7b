#!/bin/sh
# Boots real guests and looks at what their screens and serial lines show. One line a guest; closes with
# "N passed, N failed, N skipped". GUESTS="name ..." picks some; long ones run only when named or with LONG=1.
set -u
cd "$(dirname "$0")/../.." || exit 1
O=${O:-build}
here=tests/guests
holdover=$O/holdover
corpus=../shared/corpus
work=$O/guests/work
logs=$O/tests/log/guests
rm -rf "$work"
mkdir -p "$work" "$logs" "$O/guests"
export HOLDOVER_HOME="$work/home"
passed=0 failed=0 skipped=0

skip() { echo "SKIP $1: $2" | tee -a "$logs/skips"; skipped=$((skipped + 1)); }
guest() {               # name limit-seconds function
    if [ -n "${GUESTS:-}" ]; then case " $GUESTS " in *" $1 "*) ;; *) return ;; esac; fi
    start=$(date +%s)
    if timeout "$2" sh -c ". $here/lib.sh; . $here/cases.sh; $3" >"$logs/$1.txt" 2>&1; then
        passed=$((passed + 1)); echo "ok   $1 ($(($(date +%s) - start)) s)"
    else
        status=$?
        if [ $status = 77 ]; then
            skip "$1" "$(tail -n 1 "$logs/$1.txt")"
        else
            failed=$((failed + 1)); echo "FAIL $1 (exit $status, $(($(date +%s) - start)) s)"; tail -n 15 "$logs/$1.txt" | sed 's/^/     /'
        fi
    fi
}
export O holdover corpus work here

: >"$logs/skips"
while read -r name limit function long; do
    case $name in ''|'#'*) continue ;; esac
    [ "$long" != long ] || [ -n "${LONG:-}" ] || [ -n "${GUESTS:-}" ] || continue
    guest "$name" "$limit" "$function" </dev/null
done <$here/list

if [ -n "${CI:-}" ]; then
    while read -r _ name reason; do
        grep -q "^${name%:}[: ]" tests/skips.allowed || { echo "$name $reason: not listed in tests/skips.allowed"; failed=$((failed + 1)); }
    done <"$logs/skips"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
