# probe ROOT [SHARED_FILE…]
# Tells what is true on a host, a fact a line, and changes nothing.
root=$1
shift
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
  [ -d "$dir" ] || continue
  id=${dir%/} id=${id##*/}
  printf 'release %s %s\n' "$id" "$(cat "$root/.cutover/releases/$id.json" 2>/dev/null || true)"
done
near=$root
while [ ! -d "$near" ]; do near=${near%/*}; near=${near:-/}; done
printf 'space %s %s\n' "$(df -Pk "$near" | awk 'NR == 2 { print $4 }')" "$(df -Pi "$near" | awk 'NR == 2 { print $4 }')"
[ -w "$near" ] || printf 'unwritable %s\n' "$near"
[ -d "$root" ] || printf 'missing %s\n' "$root"
for tool in curl flock gzip php setsid sha256sum tar timeout; do
  if command -v "$tool" >/dev/null 2>&1; then printf 'tool %s\n' "$tool"; fi
done
for file in "$@"; do
  if [ -s "$root/shared/$file" ]; then printf 'shared filled %s\n' "$file"; else printf 'shared empty %s\n' "$file"; fi
done
sed 's/^/part /' "$root/.cutover/objects/parts" 2>/dev/null || true
for path in "$root"/.cutover/incoming/* "$root"/.cutover/current.*; do
  if [ -e "$path" ] || [ -L "$path" ]; then printf 'leftover %s\n' "$path"; fi
done
lock=$root/.cutover/lock
if [ -s "$lock" ] && grep -q "FLOCK .*:$(stat -c %i "$lock") " /proc/locks 2>/dev/null; then
  printf 'holder %s\n' "$(cat "$lock")"
fi
