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
  if [ ! -d "$root/shared/$dir" ]; then
    mkdir -p "$(dirname "$root/shared/$dir")"
    if [ -d "$release/$dir" ]; then cp -Rp "$release/$dir" "$root/shared/$dir"; else mkdir "$root/shared/$dir"; fi
  fi
  join "$dir"
done
