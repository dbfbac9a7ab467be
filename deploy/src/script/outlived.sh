# outlived ROOT HOLDER WHEN NEXT
# Tells the last that a holder ran on this host who gave no lease back: a step that still runs (WHEN is `running`), or how it
# ended (`over`), which the journal keeps unless NEXT is of the same deployment, which goes on from there.
root=$1 holder=$2 when=$3 next=$4
of() { printf '%s\n' "$1" | sed -n 's/.*"deployment":"\([A-Za-z0-9_.-]*\)".*/\1/p'; }
deployment=$(of "$holder")
[ -n "$deployment" ] || exit 0
# shellcheck disable=SC2012
log=$(ls -1t "$root/.cutover/steps/$deployment"/*.log 2>/dev/null | head -n 1)
[ -n "$log" ] || exit 0
segment=${log##*/} segment=${segment%.log}
mark=$(printf '\036')
step=$(sed -n "s/^${mark}[0-9a-f]* begin //p" "$log" | tail -n 1)
if [ "$when" = running ]; then
  [ -e "${log%.log}.status" ] || printf 'runs %s\n' "${step:-$segment}"
  exit 0
fi
# The fence is given back, so all that can be missing is the moment in which the status is written.
tries=0
while [ ! -s "${log%.log}.status" ] && [ "$tries" -lt 20 ]; do
  sleep 0.1
  tries=$((tries + 1))
done
status=$(cat "${log%.log}.status" 2>/dev/null || true)
printf 'ran %s %s\n' "${status:--}" "${step:-$segment}"
[ "$(of "$next")" != "$deployment" ] || exit 0
printf '{"at":"%s","did":"outlived","deployment":"%s","segment":"%s","exit":"%s"}\n' \
  "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$deployment" "$segment" "${status:-unknown}" >>"$root/.cutover/log.jsonl" || true
