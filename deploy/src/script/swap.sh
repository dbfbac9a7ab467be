# swap ROOT RELEASE TAG ASKED
# Makes a release live: a fresh link, one rename(2), and the link read back. The file ASKED is locked while somebody in the pool of
# PHP-FPM waits for that; who does not come is not waited for long.
root=$1 release=$2 tag=$3 asked=$4
if [ ! -d "$root/releases/$release" ]; then
  echo "$root/releases/$release does not exist" >&2
  exit 66
fi
if [ -e "$root/current" ] && [ ! -L "$root/current" ]; then
  echo "$root/current is not a link" >&2
  exit 65
fi
# Whatever an interrupted deployment left: a link, a file, a folder. What cannot go is in nobody's way.
rm -rf "$root/.cutover"/current.* || true
ln -s "releases/$release" "$root/.cutover/current.$tag"
if [ -r "$asked" ] && [ "$(readlink "$root/current" || true)" != "releases/$release" ]; then
  exec 9<"$asked"
  until=$(($(date +%s) + 5))
  while flock -n 9 && flock -u 9 && [ "$(date +%s)" -lt "$until" ]; do sleep 0.005; done
  exec 9<&-
fi
mv -T "$root/.cutover/current.$tag" "$root/current"
live=$(readlink "$root/current")
if [ "$live" != "releases/$release" ]; then
  echo "current leads to $live after the swap" >&2
  exit 70
fi
echo "current -> $live"
sync "$root"
