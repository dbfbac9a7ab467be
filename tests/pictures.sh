#!/bin/sh
# Takes a picture of every page, in light and dark, on phone and desktop, for somebody to look at: tests/pictures.sh FOLDER
set -eu
folder=${1:?say into which folder}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
cd "$(dirname "$0")/.."
sh tests/setup.sh
sh tests/fetch-browser.sh
cargo build -p cutover
CUTOVER_PICTURES=$folder cargo test -p it --test it -- axe_finds_nothing
echo "pictures: $folder"
