# prove SECONDS LINE_SCRIPT ROOT RELEASE ENVIRONMENT COMMIT DEPLOYMENT HOST LINE
# Runs a shell line of the user's again and again until it succeeds, for SECONDS at most.
seconds=$1 script=$2
shift 2
# A line has a process group of its own, all of which ends with it: not every timeout sees to that, and what is left of it
# would be waited for.
try() {
  setsid timeout -k 5 "$left" sh -euc "$script" line "$@" 2>&1 &
  wait "$!" && return
  status=$?
  kill -KILL "-$!" 2>/dev/null || true
  return "$status"
}
deadline=$(($(date +%s) + seconds)) left=$seconds
while ! said=$(try "$@"); do
  left=$((deadline - $(date +%s)))
  if [ "$left" -le 0 ]; then
    printf '%s\nafter %s s the line that proves it still fails\n' "$said" "$seconds" >&2
    exit 70
  fi
  sleep 0.2
done
[ -z "$said" ] || printf '%s\n' "$said"
