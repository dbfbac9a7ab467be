# around ROOT
# Tells what a host offers to a tree, and what another tool left in it. Changes nothing.
root=$1
near=$root
while [ ! -d "$near" ]; do near=${near%/*}; near=${near:-/}; done
[ -d "$root" ] || printf 'missing %s\n' "$root"
printf 'space %s %s\n' "$(df -Pk "$near" | awk 'NR == 2 { print $4 }')" "$(df -Pi "$near" | awk 'NR == 2 { print $4 }')"
for folder in "$near" "$root/releases" "$root/.cutover" "$root/.cutover/releases"; do
  if [ -d "$folder" ] && [ ! -w "$folder" ]; then printf 'unwritable %s\n' "$folder"; fi
done
for tool in apk awk curl dnf flock gzip mv php setsid sha256sum sync tar timeout; do
  # Of two it matters what they can do.
  case $tool in
    mv) mv --help 2>&1 | grep -q -e '-[a-z]*T' || continue ;;
    timeout) timeout -k 1 9 true >/dev/null 2>&1 || continue ;;
    *) command -v "$tool" >/dev/null 2>&1 || continue ;;
  esac
  printf 'tool %s\n' "$tool"
done
for trace in .dep/releases_log .dep/deploy.lock release repo/HEAD revisions.log releases/current .env storage; do
  if [ -e "$root/$trace" ] || [ -L "$root/$trace" ]; then printf 'trace %s\n' "$trace"; fi
done
[ ! -f "$root/.dep/deploy.lock" ] || printf 'foreign-lock %s\n' "$(head -n 1 "$root/.dep/deploy.lock" 2>/dev/null)"
tail -n 300 "$root/revisions.log" 2>/dev/null | sed 's/^/logged /' || true
for dir in "$root"/releases/*/; do
  id=${dir%/} id=${id##*/}
  if [ -d "$dir" ] && [ ! -e "$root/.cutover/releases/$id.json" ]; then
    printf 'revision %s %s\n' "$id" "$(head -n 1 "${dir}REVISION" 2>/dev/null)"
  fi
done
live=$(cd "$root/current" 2>/dev/null && pwd -P) || exit 0
if grep -q '"digest":"' "$root/.cutover/releases/${live##*/}.json" 2>/dev/null; then exit 0; fi
# Which paths of the live release another tool shares: ours have to be the same, or their data is out of sight.
find "$live" -maxdepth 4 \( -name vendor -o -name node_modules \) -prune -o -type l -print | head -n 200 | while IFS= read -r link; do
  case $(readlink "$link") in
    */shared/*) printf 'linked %s\n' "${link#"$live/"}" ;;
  esac
done
