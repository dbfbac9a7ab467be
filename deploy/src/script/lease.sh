# lease ROOT WAIT_SECONDS HOLDER OUTLIVED FILE ANSWERS PROBE [PROBE_ARGUMENT…]   (FILE: holds ANSWERS meanwhile; may be empty)
# Takes the lease of a host, raises the fence, tells the facts, and holds the lease until it is given back or stdin ends.
root=$1 wait=$2 holder=$3 outlived=$4 file=$5 answers=$6 probe=$7
shift 7
echo here
umask 022
for tool in flock timeout; do command -v "$tool" >/dev/null || { echo "$tool is not installed" >&2 && exit 69; }; done
mkdir -p "$root/.cutover/releases" "$root/releases" "$root/shared"
exec 9>>"$root/.cutover/lock"
if ! flock -n 9; then
  printf 'held %s\n' "$(cat "$root/.cutover/lock")"
  if [ "$wait" = 0 ] || ! timeout "$wait" flock 9; then exit 75; fi # BusyBox's flock knows no -w
fi
echo here # Nobody who was called off takes it: whose line is closed ends by this word.
trap 'exit 1' HUP INT PIPE TERM
before=$(cat "$root/.cutover/lock")
left() { [ -z "$before" ] || sh -euc "$outlived" outlived "$root" "$before" "$1" "$holder" 9>&- || true; }
[ -z "$before" ] || printf 'died %s\n' "$before"
printf '%s\n' "$holder" >"$root/.cutover/lock"
trap 'rm -f "$root/.cutover"/ask-*.php' EXIT
[ -z "$file" ] || printf '%s' "$answers" >"$root/.cutover/$file"
# The fence is raised under the lock that every changing step holds, so a step of an earlier holder
# that still runs is awaited here and can never begin afterwards.
exec 8<"$root/.cutover"
flock -n 8 || { left running && while ! flock -n 8; do sleep 0.2 && echo here; done; }
left over
fence=0
[ ! -s "$root/.cutover/fence" ] || read -r fence <"$root/.cutover/fence"
fence=$((fence + 1))
printf '%s\n' "$fence" >"$root/.cutover/fence.new"
mv "$root/.cutover/fence.new" "$root/.cutover/fence"
exec 8<&-
printf 'fence %s\n' "$fence"
sh -euc "$probe" probe "$root" "$@" 9>&-
printf 'greeted\n'
# A holder that falls silent is gone, even where the line never says so. Who gives nothing back is told to the next.
# shellcheck disable=SC2016
while word=$(timeout 60 sh -euc 'read -r word && echo "$word"' 9>&-); do
  [ "$word" != "done" ] || { : >"$root/.cutover/lock" && exit 0; }
done
