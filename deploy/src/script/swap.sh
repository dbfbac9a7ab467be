# swap ROOT RELEASE TAG
# Makes a release live: a fresh link, one rename(2), and the link read back.
root=$1 release=$2 tag=$3
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
mv -T "$root/.cutover/current.$tag" "$root/current"
sync "$root"
live=$(readlink "$root/current")
if [ "$live" != "releases/$release" ]; then
  echo "current leads to $live after the swap" >&2
  exit 70
fi
echo "current -> $live"
