# deploy ROOT URL
# shellcheck disable=SC2012
root=$1 url=$2
id=$(date +%Y%m%d%H%M%S%N)
release=$root/releases/$id
[ -d "$root/repo.git" ] || git init -q --bare "$root/repo.git"
git --git-dir="$root/repo.git" fetch -q --force "$url" "+refs/heads/*:refs/heads/*"
mkdir "$release"
git --git-dir="$root/repo.git" archive main | tar -xf - -C "$release"
ln -s "$root/shared/.env" "$release/.env"
ln -s "$root/shared/storage" "$release/storage"
ln -s "releases/$id" "$root/current.new"
mv -T "$root/current.new" "$root/current"
ls -1 "$root/releases" | head -n -5 | while read -r old; do rm -rf "$root/releases/$old"; done
