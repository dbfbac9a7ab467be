# workers-end ROOT RELEASE EXPECT SECONDS AFTER ROSTER RECIPE MANAGER GROUP SUDO SETTINGS
# Ends all workers that were started for other releases, and proves those of RELEASE. What ends finishes its job, also after
# this script has ended, for as long as its manager gives it, unless AFTER says to wait for it.
# shellcheck disable=SC2016
root=$1 release=$2 expect=$3 seconds=$4 after=$5 asked=$5 roster=$6 recipe=$7 manager=$8 group=$9
shift 9 && sudo=$1 settings=$2
manager() { verb=$1 && shift && sh -euc "$recipe" "$manager" "$verb" "$root" "$group" "$sudo" "$settings" "$@"; }
with() { printf '%s\n' "$table" | awk -v release="$release" "$1"; }
look() { table=$(sh -euc "$roster" roster "$root" "$recipe" "$manager" "$group" "$sudo" "$settings"); }
# At once: until then they may take a job that newer code than theirs has put on the queue.
manager keep "$release"
until=$(($(date +%s) + 15))
while look && fresh=$(with '$4 == release && $2 == "RUNNING"' | wc -l) && [ "$fresh" -lt "$expect" ]; do
  if [ "$(date +%s)" -ge "$until" ]; then
    printf '%s of %s workers of %s run the release:\n%s\n' "$fresh" "$expect" "$group" "$table" >&2
    exit 70
  fi
  sleep 0.2
done
until=$(($(date +%s) + seconds))
while look; do
  # On a way back, who still finishes a job of this very release is nobody to wait for.
  stale=$(with '$4 != release && $3 != "-" { print $1, $3, $4, $5 }')
  if [ "$after" = keep ] || [ -z "$stale" ]; then break; fi
  if [ "$(date +%s)" -ge "$until" ]; then
    if [ "$after" = fail ]; then
      printf 'after %s s there are workers of %s that have not finished:\n%s\n' "$seconds" "$group" "$table" >&2
      exit 70
    fi
    echo "drain is over: killing what has not finished"
    printf '%s\n' "$stale" | while read -r name pid _; do manager kill "$name" "$pid"; done
    after=fail until=$(($(date +%s) + 15))
  fi
  sleep 0.2
done
# A container that did not end by itself took its job with it.
with 'index($2, "LOST") == 1 { print "lost", $1, $2, $4; lost = 1 } END { exit lost }' ||
  { [ "$asked" != fail ] || { printf 'a job was lost with workers of %s:\n%s\n' "$group" "$table" >&2 && exit 70; }; }
with '$4 == release && $2 == "RUNNING" { print "proven", $1, $3, $4, $5 }
      ($4 != release || $2 == "ENDING") && $3 != "-" { print "drains", $1, $3, $4, $5 }'
