# steps NONCE ROOT FENCE {NAME SCRIPT COUNT ARGUMENT…}…
# Runs steps one after another under the fence, and marks where each begins and ends.
nonce=$1 root=$2 fence=$3
shift 3
exec 8<"$root/.cutover"
flock 8
read -r highest <"$root/.cutover/fence"
if [ "$highest" != "$fence" ]; then
  printf '\036%s fenced %s\n' "$nonce" "$highest"
  exit 75
fi
while [ "$#" -gt 0 ]; do
  name=$1 script=$2 count=$3
  shift 3
  printf '\036%s begin %s\n' "$nonce" "$name"
  status=0
  sh -euc "$script" "$name" "$@" 8<&- || status=$?
  printf '\036%s end %s %s\n' "$nonce" "$status" "$name"
  [ "$status" = 0 ] || exit "$status"
  shift "$count"
done
