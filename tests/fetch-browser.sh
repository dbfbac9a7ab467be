#!/bin/sh
# Brings what the tests of the pages need beside a Chromium into the kit's cache: axe, which finds what keeps people out,
# and a driver for the browser. Nothing of it is committed. Does nothing when the cache already holds these versions.
set -eu

axe='axe-core@4.14.1'
# Debian 12 has Node 18, which newer ones do not take.
driver='playwright-core@1.57.0'

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:+$XDG_CACHE_HOME/cutover-kit}
cache=${cache:-$root/target/kit-cache}
home=$cache/browser
wanted="$axe $driver"

if [ "$(cat "$home/VERSIONS" 2>/dev/null)" = "$wanted" ]; then
  echo "browser: $wanted are in $home"
  exit 0
fi

# Everything is prepared beside the cache and moved in at once: a cut download leaves nothing half behind.
mkdir -p "$cache"
fresh=$(mktemp -d "$cache/browser.XXXXXX")
trap 'rm -rf "$fresh"' EXIT
cd "$fresh"
for package in "$axe" "$driver"; do
  name=${package%@*}
  npm pack --silent "$package" >/dev/null
  mkdir -p "node_modules/$name"
  tar -xzf "$name"-*.tgz -C "node_modules/$name" --strip-components=1
  rm -f "$name"-*.tgz
done

printf '%s\n' "$wanted" >VERSIONS
chmod 755 "$fresh"
rm -rf "$home"
mv "$fresh" "$home"
trap - EXIT
echo "browser: $wanted brought to $home"
