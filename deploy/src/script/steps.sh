# steps NONCE ROOT FENCE {NAME SCRIPT SECONDS COUNT BLOCK ARGUMENT…}…
# Runs steps one after another under the fence, marks where each begins and ends, and ends one that takes too long. Nothing
# behind one that fails is run; but of a step that has a BLOCK only those of the same block are left out.
nonce=$1 root=$2 fence=$3 over='' failed=0 broken=''
shift 3
# A step has a process group of its own, so `timeout` does not end this script with it, and `end` ends all of it: not every
# timeout does. The fence is held until it has. The last one that was begun, `$!`, runs unless it is over.
trap 'if [ "${!:-}" != "$over" ]; then
  # Before it is a group of its own it may not hear.
  until kill -0 "-$!" || ! kill -0 "$!"; do sleep 0.01; done 2>/dev/null
  kill -TERM "$!" || true; wait "$!" || true; end
fi; exit 143' TERM
# Who hears no TERM is killed, so that nothing of a step outlives the fence, also where nobody hears this script any more.
end() { kill -KILL "-$!" 2>/dev/null || true; }
trap : PIPE
exec 8<"$root/.cutover"
flock 8
read -r highest <"$root/.cutover/fence"
if [ "$highest" != "$fence" ]; then printf '\n\036%s fenced %s\n' "$nonce" "$highest"; exit 75; fi
while [ "$#" -gt 0 ]; do
  name=$1 script=$2 seconds=$3 count=$4 block=$5 status=0
  shift 5
  if [ -z "$block" ] || [ "$block" != "$broken" ]; then
    printf '\n\036%s begin %s\n' "$nonce" "$name"
    read -r since _ </proc/uptime
    setsid timeout -k 10 "$seconds" sh -euc "$script" "$name" "$@" 8<&- &
    wait "$!" || status=$?
    read -r until _ </proc/uptime # BusyBox's timeout calls one done that was told to end and ended well.
    [ "$status" != 0 ] || [ "$((${until%.*}${until#*.} - ${since%.*}${since#*.}))" -lt "${seconds}00" ] || status=124
    case $status in 124 | 125 | 137 | 143) end ;; esac
    printf '\n\036%s end %s %s\n' "$nonce" "$status" "$name" || { end && exit 141; }
    over=$!
  fi
  [ "$status" = 0 ] || { broken=$block && [ "$failed" != 0 ] || failed=$status; [ -n "$block" ] || break; }
  shift "$count"
done
# What a step left in the background may hold the line open; all that was asked for is over.
printf '\n\036%s all %s\n' "$nonce" "$failed"
exit "$failed"
