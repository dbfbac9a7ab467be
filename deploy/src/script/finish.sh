# finish FOLDER SEGMENT STEPS [STEPS_ARGUMENT…]
# Runs steps that change what is live. They run to their end even if the line dies, and leave output and status behind.
folder=$1 segment=$2 steps=$3
shift 3
trap '' HUP
mkdir -p "$folder"
rm -f "$folder/$segment.status" "$folder/$segment.log"
{
  status=0
  setsid sh -euc "$steps" steps "$@" </dev/null 2>&1 &
  wait "$!" || status=$?
  printf '%s\n' "$status" >"$folder/$segment.status.new"
  mv "$folder/$segment.status.new" "$folder/$segment.status"
} | (
  trap '' PIPE
  # One tee goes on by that, another only when it is told to.
  if tee -p </dev/null >/dev/null 2>&1; then set -- -p; else set --; fi
  exec tee "$@" "$folder/$segment.log"
) || true
# On a full disk there is no such file; then what the steps said themselves counts.
if read -r status <"$folder/$segment.status"; then exit "$status"; else exit 74; fi
