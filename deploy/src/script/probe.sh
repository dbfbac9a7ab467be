# probe ROOT AROUND [SHARED_FILE…]
# Tells what is true on a host, a fact a line, and changes nothing.
root=$1 around=$2
shift 2
if [ -L "$root/current" ]; then
  # Where it really ends counts: it may be dangling, or lead into another tree.
  here=$(cd "$root/releases" 2>/dev/null && pwd -P) || here=-
  there=$(cd "$root/current" 2>/dev/null && pwd -P) || there=
  case $there in
    "$here"/*) printf 'current link releases/%s\n' "${there#"$here/"}" ;;
    *) printf 'current stray %s\n' "$(readlink "$root/current")" ;;
  esac
elif [ -e "$root/current" ]; then
  printf 'current other\n'
fi
[ ! -e "$root/.cutover/hold.json" ] || printf 'hold %s\n' "$(head -n 1 "$root/.cutover/hold.json" 2>/dev/null)"
for dir in "$root"/releases/*/; do
  id=${dir%/} id=${id##*/}
  # A link is no release, even if it leads to one.
  if [ ! -d "$dir" ] || [ -L "$root/releases/$id" ]; then continue; fi
  printf 'release %s %s\n' "$id" "$(cat "$root/.cutover/releases/$id.json" 2>/dev/null || true)"
  [ ! -s "$root/.cutover/releases/$id.migrated" ] || printf 'migrated %s %s\n' "$id" "$(tr '\n' ' ' <"$root/.cutover/releases/$id.migrated")"
done
for file in "$@"; do
  if [ -s "$root/shared/$file" ]; then printf 'shared filled %s\n' "$file"; else printf 'shared empty %s\n' "$file"; fi
done
sed 's/^/part /' "$root/.cutover/objects/parts" 2>/dev/null || true
for path in "$root"/.cutover/incoming/* "$root"/.cutover/current.*; do
  if [ -e "$path" ] || [ -L "$path" ]; then printf 'leftover %s\n' "$path"; fi
done
for marks in "$root"/.cutover/hand-over.*; do [ ! -s "$marks" ] || printf 'begun %s\n' "${marks##*/hand-over.}"; done
for gone in "$root"/releases/.gone.*; do
  [ ! -d "$gone" ] || printf 'gone %s\n' "$gone"
done
lock=$root/.cutover/lock
if [ -s "$lock" ] && grep -q "FLOCK .*:$(stat -c %i "$lock") " /proc/locks 2>/dev/null; then
  printf 'holder %s\n' "$(cat "$lock")"
fi
sh -euc "$around" around "$root"
