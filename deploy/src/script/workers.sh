# workers ROOT RELEASE EXPECT SECONDS AFTER HAND_OVER PROOF ROSTER RECIPE MANAGER GROUP SUDO SETTINGS
# Makes workers that run what `current` leads to follow a release (with `turn` one after another) and tells who is proven.
# shellcheck disable=SC2016
root=$1 release=$2 expect=$3 seconds=$4 after=$5 hand_over=$6 proof=$7 roster=$8 recipe=$9
shift 9 && manager=$1 group=$2 sudo=$3 settings=$4 what=workers
manager() { verb=$1 && shift && sh -euc "$recipe" "$manager" "$verb" "$root" "$group" "$sudo" "$settings" "$@"; }
with() { printf '%s\n' "$table" | awk -v release="$release" -v told="$told" -v turn="$hand_over" -v expect="$expect" "$1"; }
case $hand_over in restart) manager restart ;; turn) what=servers ;; esac
until=$(($(date +%s) + seconds)) told=
while table=$(sh -euc "$roster" roster "$root" "$recipe" "$manager" "$group" "$sudo" "$settings") || exit; do
  # A server of this very release that is not up when this begins may never be: it is like one that was told.
  [ -n "$told" ] || told=" $(with 'turn == "turn" && $4 == release && $2 == "STARTING" { printf "%s ", $3 }')"
  fresh=$(with '$4 == release && $2 == "RUNNING"' | wc -l)
  stale=$(with '$4 != release && $1 != ""') && set -- && busy=
  if [ -z "$stale" ] && [ "$fresh" -ge "$expect" ]; then break; fi
  if [ "$(date +%s)" -ge "$until" ]; then
    case $after in
      keep) if [ "$(with '$4 != "-"' | wc -l)" -ge "$expect" ] && [ -z "$(with '$4 == "-"')" ]; then break; fi ;;
      force)
        late=$(with 'NF && $3 != "-" && ($4 != release && (turn != "turn" || $2 == "STARTING") || ($4 != release || $2 == "STARTING") && index(told, " " $3 " ")) { print $1, $3 }')
        [ -z "$late" ] || echo "drain is over: killing what has not finished"
        printf '%s\n' "$late" | while read -r name pid; do [ -z "$pid" ] || manager kill "$name" "$pid" || true; done
        [ -z "$late" ] || { after=fail until=$(($(date +%s) + 15)) told=' ' && continue; } ;;
    esac
    printf '%s\nafter %s s %s of %s %s of %s run the release\n' "$table" "$seconds" "$fresh" "$expect" "$what" "$group" >&2 && exit 70
  fi
  while read -r name state pid on _; do
    case $state$on$told in
      RUNNING-* | *" $pid "*) busy=yes ;;
      RUNNING*) set -- "$@" "$name" "$pid" ;;
      EXITED* | STOPPED* | FATAL*) manager begin "$name" || true ;;
    esac
  done <<STALE
$stale
STALE
  case $hand_over:$busy$(with 'NF && ($2 != "RUNNING" || !++up); END { if (up < expect) print "few" }') in turn:) [ "$#" = 0 ] || set -- "$1" "$2" ;; turn:*) set -- ;; esac
  if [ "$#" != 0 ] && manager end "$@"; then told="$told$* "; fi
  sleep 0.2
done
exec sh -euc "$proof" proof "$root" "$release" "$group" "$table"
