#!/bin/sh
# The main job on a bare machine: makes the disk of an old payroll server, imports it, runs it in a window. Without a display the
# same headless: build/demo.png shows the login. HOLDOVER_HOME is build/demo-home, so that nothing of yours is touched.
set -eu
cd "$(dirname "$0")/.."
O=${O:-build}
scripts/deps.sh
make --no-print-directory -j2 O="$O" all
O=$O tests/guests/prepare.sh disk
export HOLDOVER_HOME="$O/demo-home"
holdover=$O/holdover
if ! "$holdover" show payroll >/dev/null 2>&1; then
    echo "demo: importing $O/guests/payroll.raw"
    "$holdover" import "$O/guests/payroll.raw" --name payroll
fi
if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && [ -z "${HEADLESS:-}" ]; then
    echo "demo: the server starts in a window; log in as payroll (no password) for the application, Ctrl+Alt frees the mouse"
    exec "$holdover" run payroll
fi
echo "demo: no display; booting headless, then logging in to the application"
"$holdover" run payroll --headless --ephemeral --until 'login:' --type 'payroll\n' --until 'PAYROLL 2.1' --until 'Choice:' --for 600 \
    --screenshot "$O/demo.png"
echo "demo: $O/demo.png shows the application"
