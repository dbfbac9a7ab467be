# servers ROOT RELEASE EXPECT SECONDS PROOF ROSTER RECIPE MANAGER GROUP SUDO SETTINGS
# Has servers that keep the app in memory follow a release one after another, so that somebody always answers, and tells
# which are proven to run it. Each has its share of SECONDS to end and is killed after it: one that hangs takes no time from
# the others. One that is not up serves nobody, and need not wait for its turn.
# shellcheck disable=SC2016,SC2086
root=$1 release=$2 expect=$3 seconds=$4 proof=$5 roster=$6 recipe=$7 manager=$8 group=$9
shift 9 && sudo=$1 settings=$2
manager() { verb=$1 && shift && sh -euc "$recipe" "$manager" "$verb" "$root" "$group" "$sudo" "$settings" "$@" </dev/null; }
with() { printf '%s\n' "$table" | awk -v release="$release" -v expect="$expect" -v told="$told" -v down="$down" -v now="$now" "$1"; }
fail() { printf '%s\n%s\n' "$table" "$2" >&2 && exit "$1"; }
now=$(date +%s) share=$((seconds / (expect + 1))) told=' ' down=''
until=$((now + seconds)) due=$((now + share))
while table=$(sh -euc "$roster" roster "$root" "$recipe" "$manager" "$group" "$sudo" "$settings") || exit; do
  now=$(date +%s)
  [ -n "$down" ] || down=" $(with '$2 == "STARTING" && $3 != "-" { printf "%s ", $3 }')"
  fresh=$(with '$4 == release && $2 == "RUNNING"' | wc -l)
  if [ -z "$(with 'NF && $4 != release')" ] && [ "$fresh" -ge "$expect" ]; then break; fi
  # One that begins is its manager's for a moment.
  [ -z "$(with '$2 == "HIDDEN" && now - $5 > 1')" ] || fail 77 "what runs is hidden: all processes of $group must be of the user that deploys"
  [ "$now" -lt "$until" ] || fail 70 "after $seconds s $fresh of $expect servers of $group run the release"
  with '$2 ~ /^(EXITED|STOPPED|FATAL)$/ { print $1 }' | while read -r name; do manager begin "$name" || true; done
  if [ "$now" -ge "$due" ]; then
    due=$((now + share))
    with '$4 != release && index(told, " " $3 " ") || $2 == "STARTING" && index(down, " " $3 " ") { print $1, $3 }' |
      while read -r name pid; do echo "killing $name, whose time is over" && { manager kill "$name" "$pid" || true; }; done
  fi
  # One at a time, and one that serves only where all others do.
  next=$(with 'NF && ($2 != "RUNNING" || $4 == "-") { few = 1 } $2 == "RUNNING" { up++ } $4 == release || $3 == "-" || $4 == "-" { next }
    index(told, " " $3 " ") { busy = 1 } $2 == "RUNNING" && !serves { serves = $1 " " $3 } $2 == "STARTING" && now - $5 > 1 { idle = $1 " " $3 }
    END { if (!busy) print (idle ? idle : few || up < expect ? "" : serves) }')
  if [ -n "$next" ] && manager end $next; then
    told="$told${next#* } " due=$((now + share)) now=$(date +%s)
    [ "$due" -gt "$now" ] || due=$((now + 1))
  fi
  sleep 0.2
done
exec sh -euc "$proof" proof "$root" "$release" "$group" "$table"
