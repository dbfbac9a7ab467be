# workers-restore ROOT FAILED LIVE EXPECT ROSTER RECIPE MANAGER GROUP SUDO SETTINGS
# Takes back workers of a release that does not become live, and starts those of LIVE (may be `-`) again if they were told
# to end already. Nothing depends on it: the next deployment does the same.
# shellcheck disable=SC2016
root=$1 failed=$2 live=$3 expect=$4 roster=$5 recipe=$6 manager=$7 group=$8 sudo=$9
shift 9 && settings=$1
manager() { verb=$1 && shift && sh -euc "$recipe" "$manager" "$verb" "$root" "$group" "$sudo" "$settings" "$@"; }
if [ "$live" != - ] && table=$(sh -euc "$roster" roster "$root" "$recipe" "$manager" "$group" "$sudo" "$settings"); then
  running=$(printf '%s\n' "$table" | awk -v live="$live" '$4 == live && $2 == "RUNNING"' | wc -l)
  [ "$running" -ge "$expect" ] || manager add "$live" "$expect" || echo "they do not start again so far"
fi
manager drop "$failed" || echo "they could not be told to end"
