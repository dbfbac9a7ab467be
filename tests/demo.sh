#!/bin/sh
# Runs the demo in one folder of its own, which goes when it ends.
set -eu
folder=$(mktemp -d "${TMPDIR:-/tmp}/cutover-demo-XXXX")
trap 'rm -rf "$folder"' EXIT
# Ctrl-C is for the demo, which then tidies up; this script only waits for it.
trap '' INT
TMPDIR=$folder "${CARGO_TARGET_DIR:-target}/debug/demo"
