# withdraw ROOT RELEASE
# Takes the first release of a host back: there was no `current` before it.
root=$1 release=$2
rm -f "$root/.cutover"/current.*
if [ "$(readlink "$root/current" || true)" = "releases/$release" ]; then
  rm "$root/current"
  sync "$root"
fi
echo "no release is live, as before"
