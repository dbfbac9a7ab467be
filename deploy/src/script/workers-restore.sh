# workers-restore ROOT FAILED LIVE EXPECT ROSTER RECIPE MANAGER GROUP SUDO SETTINGS
# Takes back a hand-over that came to no swap. LIVE, which may be `-`, has its workers started again, and FAILED has its own
# told to end, both as far as the marks of workers-start and workers-end say that it was done: what its operator had stopped
# stays so. Proven is that none that was started takes a job any more: FAILED, and what earlier tries left.
# shellcheck disable=SC2016
root=$1 failed=$2 live=$3 expect=$4 roster=$5 recipe=$6 manager=$7 group=$8 sudo=$9
shift 9 && settings=$1
marks=$root/.cutover/hand-over.$group
manager() { verb=$1 && shift && sh -euc "$recipe" "$manager" "$verb" "$root" "$group" "$sudo" "$settings" "$@"; }
look() { table=$(sh -euc "$roster" roster "$root" "$recipe" "$manager" "$group" "$sudo" "$settings"); }
running() { printf '%s\n' "$table" | awk -v live="$live" '$4 == live && $2 == "RUNNING"' | wc -l; }
# Those that take jobs, or are about to.
failing() { printf '%s\n' "$table" | awk -v gone=" $gone" 'index(gone, " " $4 " ") && ($2 == "RUNNING" || $2 == "STARTING")'; }
if [ ! -s "$marks" ]; then
  # The first release of all was proven before it is withdrawn.
  [ "$live" != - ] || manager drop "$failed" || echo "they could not be told to end"
  exit 0
fi
# As many as ran when they were told: a later try finds them gone. Told while another release was live were others.
again=$(awk -v live="$live" -v most="$expect" '$NF != live || $2 == live || told { next }
  $1 == "end" { told = 1 } $1 == "beside" && $3 < most { most = $3 }
  END { print (told && live != "-" ? most + 0 : 0) }' "$marks")
if [ "$again" != 0 ]; then
  { look && [ "$(running)" -ge "$again" ]; } || manager add "$live" "$again" no || echo "those of $live do not start again so far"
fi
gone=$(sed -n 's/^start //p' "$marks" | sort -u | grep -vxF -e "$live" | tr '\n' ' ')
for id in $gone; do manager drop "$id" || echo "those of $id could not be told to end"; done
until=$(($(date +%s) + 60))
while ! look || [ -n "$(failing)" ] || [ "$(running)" -lt "$again" ]; do
  if [ "$(date +%s)" -ge "$until" ]; then
    printf '%s\n%s of %s workers of %s run %s again\n' "$table" "$(running)" "$again" "$group" "$live" >&2 && exit 70
  fi
  sleep 0.2
done
rm -f "$marks"
