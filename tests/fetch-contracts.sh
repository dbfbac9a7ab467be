#!/bin/sh
# Brings what GitHub publishes about its interface into the kit's cache: the OpenAPI description of its REST API and its
# examples of webhook bodies. Nothing of it is committed. Does nothing when the cache already holds these versions.
set -eu

description=@octokit/openapi@23.0.2
examples=@octokit/webhooks-examples@7.6.1

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:+$XDG_CACHE_HOME/cutover-kit}
cache=${cache:-$root/target/kit-cache}
home=$cache/github
wanted="$description $examples"

if [ "$(cat "$home/VERSIONS" 2>/dev/null)" = "$wanted" ]; then
  echo "contracts: $wanted are in $home"
  exit 0
fi

if ! command -v npm >/dev/null; then
  echo "contracts: installing npm, which brings GitHub's published contracts"
  [ "$(id -u)" = 0 ] && sudo= || sudo=sudo
  log=$(mktemp)
  if ! { $sudo apt-get update -q && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends npm; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "contracts: npm could not be installed; the whole log is $log" >&2
    exit 1
  fi
  rm -f "$log"
fi

# Everything is prepared beside the cache and moved in at once: a cut download leaves no half contract behind.
mkdir -p "$cache"
fresh=$(mktemp -d "$cache/github.XXXXXX")
trap 'rm -rf "$fresh"' EXIT
cd "$fresh"

npm pack --silent "$description" >/dev/null
tar -xzf octokit-openapi-*.tgz package/generated/api.github.com.json
mv package/generated/api.github.com.json openapi.json
rm -r package ./*.tgz

npm pack --silent "$examples" >/dev/null
tar -xzf octokit-webhooks-examples-*.tgz
mkdir examples
for index in package/*/index.json; do
  mv "$index" "examples/$(basename "$(dirname "$index")").json"
done
rm -r package ./*.tgz

printf '%s\n' "$wanted" >VERSIONS
chmod 755 "$fresh"
rm -rf "$home"
mv "$fresh" "$home"
trap - EXIT
echo "contracts: $wanted brought to $home"
