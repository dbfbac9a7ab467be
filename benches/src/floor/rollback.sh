# rollback ROOT
# shellcheck disable=SC2010
root=$1
live=$(readlink "$root/current")
before=$(ls -1 "$root/releases" | grep -B 1 -x "${live##*/}" | head -n 1)
ln -s "releases/$before" "$root/current.new"
mv -T "$root/current.new" "$root/current"
