# link ROOT RELEASE FILES DIRS   (FILES and DIRS: a path a line)
# Links what all releases share into a release.
root=$1 release=$root/releases/$2 files=$3 dirs=$4
base=$(cd "$release" && pwd -P)
join() {
  parent=$(dirname "$release/$1")
  mkdir -p "$parent"
  case $(cd "$parent" && pwd -P)/ in
    "$base"/*) ;;
    *)
      echo "the folder of $1 is a link out of the release" >&2
      exit 65
      ;;
  esac
  rm -rf "${release:?}/$1"
  ln -s "$root/shared/$1" "$release/$1"
}
# What is shared comes into sight when it is whole: the release's own goes then.
fill() {
  to=$root/shared/$1
  new=${to%/*}/.${1##*/}.cutover-new
  mkdir -p "${to%/*}"
  if [ ! -d "$release/$1" ]; then mkdir "$to"; return; fi
  rm -rf "$new"
  cp -Rp "$release/$1" "$new"
  mv -T "$new" "$to"
}
printf '%s\n' "$files" | while IFS= read -r file; do
  [ -n "$file" ] || continue
  if [ ! -s "$root/shared/$file" ]; then
    echo "$root/shared/$file is missing or empty" >&2
    exit 66
  fi
  join "$file"
done
printf '%s\n' "$dirs" | while IFS= read -r dir; do
  [ -n "$dir" ] || continue
  [ -d "$root/shared/$dir" ] || fill "$dir"
  join "$dir"
done
