# workers ROOT RELEASE GROUP EXPECT HAND_OVER SECONDS AFTER SUDO ROSTER
# Makes a supervisor group follow a release, and tells each worker that is proven to run it.
# shellcheck disable=SC2016
root=$1 release=$2 group=$3 expect=$4 hand_over=$5 seconds=$6 after=$7 sudo=$8 roster=$9
ctl() { if [ "$sudo" = yes ]; then sudo -n supervisorctl "$@"; else supervisorctl "$@"; fi; }
with() { printf '%s\n' "$table" | awk -v release="$release" "$1"; }
if [ "$hand_over" = restart ]; then ctl restart "$group:*"; fi
until=$(($(date +%s) + seconds)) told=' '
while :; do
  table=$(sh -euc "$roster" roster "$root" "$group" "$sudo")
  fresh=$(with '$4 == release' | wc -l)
  stale=$(with '$4 != release')
  if [ -z "$stale" ] && [ "$fresh" -ge "$expect" ]; then break; fi
  if [ "$(date +%s)" -ge "$until" ]; then
    case $after in
      keep) if [ "$(with '$4 != "-"' | wc -l)" -ge "$expect" ] && [ -z "$(with '$4 == "-"')" ]; then break; fi ;;
      force)
        echo "drain is over: killing what has not finished"
        with '$4 != release && $3 != "-" { print $1 }' | while read -r name; do ctl signal KILL "$name"; done
        after=fail until=$(($(date +%s) + 15)) told=' '
        continue ;;
    esac
    printf 'after %s s %s of %s workers of %s run the release:\n%s\n' "$seconds" "$fresh" "$expect" "$group" "$table" >&2
    exit 70
  fi
  while read -r name state pid on; do
    case $state in
      RUNNING) case "$on$told" in
        "-"* | *" $pid "*) ;;
        *) ctl signal TERM "$name" && told="$told$pid " ;;
      esac ;;
      EXITED | STOPPED | FATAL) ctl start "$name" || true ;;
    esac
  done <<STALE
$stale
STALE
  sleep 0.2
done
with '$4 == release { print "proven", $1, $3, $4 }'
with '$4 != release { print "kept", $1, $2, $3, $4 }'
