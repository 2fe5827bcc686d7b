#!/bin/sh
# Imports old disks that it makes itself, end to end through the program, and looks at what was recognised, pinned and refused, and
# whether the export gives the source's bytes back. tests/importers/list has the cases; files are kept in build/importers.
#   run.sh [--short] [CASE...]      --short: no packages are fetched, libguestfs is not started; a * in a CASE stands for anything
set -eu
cd "$(dirname "$0")/../.."
export O="${O:-build}"
exec python3 tests/importers/run.py "$@"
