# workers-prove ROOT RELEASE EXPECT SECONDS AFTER PROOF ROSTER RECIPE MANAGER GROUP SUDO SETTINGS
# Proves that a release has its workers and that all others only finish a job. That goes on after this script has ended, for
# as long as their manager lets them, unless AFTER says to wait for it.
# shellcheck disable=SC2016
root=$1 release=$2 expect=$3 seconds=$4 after=$5 asked=$5 proof=$6 roster=$7 recipe=$8 manager=$9
shift 9 && group=$1 sudo=$2 settings=$3
manager() { verb=$1 && shift && sh -euc "$recipe" "$manager" "$verb" "$root" "$group" "$sudo" "$settings" "$@"; }
with() { printf '%s\n' "$table" | awk -v release="$release" "$1"; }
# Who cannot be asked proves nothing.
look() { table=$(sh -euc "$roster" roster "$root" "$recipe" "$manager" "$group" "$sudo" "$settings") || exit; }
running() { with '$4 == release && $2 == "RUNNING"' | wc -l; }
until=$(($(date +%s) + 15))
while look && fresh=$(running) && [ "$fresh" -lt "$expect" ]; do
  if [ "$(date +%s)" -ge "$until" ]; then
    printf '%s\n%s of %s workers of %s run the release\n' "$table" "$fresh" "$expect" "$group" >&2 && exit 70
  fi
  sleep 0.2
done
# Where the end of old ones was put off, or broke off.
[ -z "$(with '$4 != release && $2 == "RUNNING"')" ] || manager keep "$release"
until=$(($(date +%s) + seconds))
while look; do
  # On a way back, who still finishes a job of this very release is nobody to wait for.
  stale=$(with 'NF && $4 != release && $3 != "-" { print $1, $3, $4, $5 }')
  if [ "$after" = keep ]; then stale=$(with '$4 != release && $2 == "RUNNING"'); fi
  if [ -z "$stale" ] && [ "$(running)" -ge "$expect" ]; then break; fi
  if [ "$(date +%s)" -ge "$until" ]; then
    if [ "$after" != force ]; then
      printf '%s\nafter %s s there are workers of %s that have not finished\n' "$table" "$seconds" "$group" >&2 && exit 70
    fi
    echo "drain is over: killing what has not finished"
    printf '%s\n' "$stale" | while read -r name pid _; do manager kill "$name" "$pid" || true; done
    after=fail until=$(($(date +%s) + 15))
  fi
  sleep 0.2
done
# A container that did not end by itself took its job with it.
lost=$(with '$4 != release && index($2, "LOST") == 1 { print "lost", $1, $2 }')
[ -z "$lost" ] || { printf '%s\na job was lost with workers of %s\n' "$lost" "$group" >&2 && [ "$asked" != fail ]; } || exit 70
exec sh -euc "$proof" proof "$root" "$release" "$group" "$table"
