#!/bin/sh
# Brings the programs that `make bench` compares with into the kit's cache. What cannot be had is said, and left out of
# the comparison; this script never fails for it.
set -u

slipway=0.3.1
shipit='shipit-cli@5.3.0 shipit-deploy@5.3.0 shipit-shared@4.4.2'

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:+$XDG_CACHE_HOME/cutover-kit}
cache=${cache:-$root/target/kit-cache}
home=$cache/peers
mkdir -p "$home/bin"
log=$(mktemp)
trap 'rm -f "$log"' EXIT

without() {
  tail -n 3 "$log" >&2
  echo "peers: no $1: it is left out" >&2
}

# It knows keys of the type that the host has only with two more packages.
if ! command -v cap >/dev/null || ! ruby -e 'require "ed25519"; require "bcrypt_pbkdf"' 2>/dev/null; then
  echo "peers: installing capistrano from Debian"
  [ "$(id -u)" = 0 ] && sudo= || sudo=sudo
  { $sudo apt-get update -q && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends capistrano ruby-ed25519 ruby-bcrypt-pbkdf; } \
    >"$log" 2>&1 || without capistrano
fi

if [ ! -x "$home/bin/slipway" ]; then
  echo "peers: building slipway $slipway"
  if cargo install --quiet --locked --version "$slipway" --root "$home/slipway" slipway >"$log" 2>&1; then
    ln -sf ../slipway/bin/slipway "$home/bin/slipway"
  else
    without slipway
  fi
fi

if [ ! -x "$home/bin/shipit" ]; then
  echo "peers: bringing shipit"
  # shellcheck disable=SC2086
  if mkdir -p "$home/shipit" && (cd "$home/shipit" && npm install --silent --no-fund --no-audit $shipit) >"$log" 2>&1; then
    ln -sf ../shipit/node_modules/.bin/shipit "$home/bin/shipit"
  else
    without shipit
  fi
fi
exit 0
