#!/bin/sh
# Brings what is known about GitLab's interface into the kit's cache: the webhook bodies of its manual, out of a Debian
# package, and python-gitlab, a client that others keep. Nothing of it is committed. Does nothing when all is there.
set -eu

client=python-gitlab==8.6.0
wanted="1 $client"

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:+$XDG_CACHE_HOME/cutover-kit}
cache=${cache:-$root/target/kit-cache}
home=$cache/gitlab

if [ "$(cat "$home/VERSIONS" 2>/dev/null)" = "$wanted" ]; then
  echo "contracts: GitLab's hooks and $client are in $home"
  exit 0
fi

[ "$(id -u)" = 0 ] && sudo= || sudo=sudo
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
  echo "contracts: installing python3-venv, which brings $client"
  $sudo apt-get update -qq
  $sudo apt-get install -y -qq --no-install-recommends python3-venv
fi

# Everything is prepared beside the cache and moved in at once: a cut download leaves no half contract behind.
mkdir -p "$cache"
fresh=$(mktemp -d "$cache/gitlab.XXXXXX")
trap 'rm -rf "$fresh"' EXIT
cd "$fresh"

# The package has one name in bookworm and another one after it.
older=golang-github-xanzy-go-gitlab-dev
newer=golang-gitlab-gitlab-org-api-client-go-dev
bring() { apt-get download -qq "$older" 2>/dev/null || apt-get download -qq "$newer" 2>/dev/null; }
bring || { $sudo apt-get update -qq && bring; } || {
  echo "contracts: apt-get can download neither $older nor $newer" >&2
  exit 1
}
dpkg-deb -x ./*.deb package
hooks=$(find package -type d -name webhooks | head -n 1)
mv "$hooks" webhooks
rm -r package ./*.deb

python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check "$client"

printf '%s\n' "$wanted" >VERSIONS
chmod 755 "$fresh"
rm -rf "$home"
mv "$fresh" "$home"
trap - EXIT
echo "contracts: GitLab's hooks and $client brought to $home"
