# withdraw ROOT RELEASE
# Takes the first release of a host back: there was no `current` before it.
root=$1 release=$2
rm -rf "$root/.cutover"/current.* || true
if [ "$(readlink "$root/current" || true)" = "releases/$release" ]; then
  rm "$root/current"
  sync "$root"
fi
echo "no release is live, as before"
