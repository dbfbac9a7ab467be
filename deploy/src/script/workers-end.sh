# workers-end ROOT RELEASE EXPECT NEED ROSTER RECIPE MANAGER GROUP SUDO SETTINGS
# Ends all workers but those of a release that becomes live next. They finish their job and take no other, which newer code
# than theirs might have put on the queue; who has no job is gone in a moment. On a way back, where NEED is `no`, nothing is
# ended as long as nobody is there to take over.
# shellcheck disable=SC2016
root=$1 release=$2 expect=$3 need=$4 roster=$5 recipe=$6 manager=$7 group=$8 sudo=$9
shift 9 && settings=$1
look() { table=$(sh -euc "$roster" roster "$root" "$recipe" "$manager" "$group" "$sudo" "$settings"); }
count() { printf '%s\n' "$table" | awk -v release="$release" "$1" | wc -l; }
if [ "$need" = no ]; then
  look || exit 0
  [ "$(count '$4 == release && $2 == "RUNNING"')" -ge "$expect" ] || exit 0
else
  live=$(readlink "$root/current" || echo -)
  echo "end $release live ${live##*/}" >>"$root/.cutover/hand-over.$group"
fi
sh -euc "$recipe" "$manager" keep "$root" "$group" "$sudo" "$settings" "$release" || [ "$need" = no ]
now=$(date +%s)
idle=$((now + 1)) until=$((now + 60))
while :; do
  look || [ "$need" = no ]
  now=$(date +%s)
  if [ "$(count 'NF && $4 != release && $3 != "-"')" = 0 ]; then break; fi
  untold=$(count '$4 != release && $2 == "RUNNING"')
  if [ "$now" -gt "$idle" ] && { [ "$untold" = 0 ] || [ "$need" = no ]; }; then break; fi
  # A cluster ends old ones only when new ones are ready.
  if [ "$now" -gt "$until" ]; then
    printf '%s\nafter 60 s %s older workers of %s were not told to end\n' "$table" "$untold" "$group" >&2
    exit 70
  fi
  sleep 0.1
done
