# workers ROOT RELEASE EXPECT SECONDS AFTER HAND_OVER PROOF ROSTER RECIPE MANAGER GROUP SUDO SETTINGS
# Makes the workers that run what `current` leads to follow a release, and tells each that is proven to run it.
# shellcheck disable=SC2016
root=$1 release=$2 expect=$3 seconds=$4 after=$5 hand_over=$6 proof=$7 roster=$8 recipe=$9
shift 9 && manager=$1 group=$2 sudo=$3 settings=$4
manager() { verb=$1 && shift && sh -euc "$recipe" "$manager" "$verb" "$root" "$group" "$sudo" "$settings" "$@"; }
with() { printf '%s\n' "$table" | awk -v release="$release" "$1"; }
if [ "$hand_over" = restart ]; then manager restart || echo "not all of them could be restarted: each is looked at"; fi
until=$(($(date +%s) + seconds)) told=' '
while table=$(sh -euc "$roster" roster "$root" "$recipe" "$manager" "$group" "$sudo" "$settings") || exit; do
  fresh=$(with '$4 == release && $2 == "RUNNING"' | wc -l)
  stale=$(with '$4 != release && $1 != ""')
  if [ -z "$stale" ] && [ "$fresh" -ge "$expect" ]; then break; fi
  if [ "$(date +%s)" -ge "$until" ]; then
    case $after in
      keep) if [ "$(with '$4 != "-"' | wc -l)" -ge "$expect" ] && [ -z "$(with '$4 == "-"')" ]; then break; fi ;;
      force)
        late=$(with 'NF && $4 != release && $3 != "-" { print $1, $3 }')
        [ -z "$late" ] || echo "drain is over: killing what has not finished"
        printf '%s\n' "$late" | while read -r name pid; do [ -z "$pid" ] || manager kill "$name" "$pid" || true; done
        [ -z "$late" ] || { after=fail until=$(($(date +%s) + 15)) told=' ' && continue; } ;;
    esac
    printf '%s\nafter %s s %s of %s workers of %s run the release\n' "$table" "$seconds" "$fresh" "$expect" "$group" >&2 && exit 70
  fi
  set --
  while read -r name state pid on _; do
    case $state$on$told in
      RUNNING-* | *" $pid "*) ;;
      RUNNING*) set -- "$@" "$name" "$pid" ;;
      EXITED* | STOPPED* | FATAL*) manager begin "$name" || true ;;
    esac
  done <<STALE
$stale
STALE
  if [ "$#" != 0 ] && manager end "$@"; then told="$told$* "; fi
  sleep 0.2
done
exec sh -euc "$proof" proof "$root" "$release" "$group" "$table"
