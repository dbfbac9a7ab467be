# command VERB ROOT GROUP SUDO SETTINGS [ARGUMENT…]   (called as command, horizon or queue_restart)
# Workers that no manager lists: processes of this user with a text in their command line, that run a release of this tree.
# shellcheck disable=SC2086,SC2013
verb=$1 root=$(cd "$2" && pwd -P) group=$3 settings=$5 pids=
shift 5
of() { printf '%s\n' "$settings" | sed -n "s/^$1 //p"; }
ending=$root/.cutover/ending.$group # pids alone would mean others after a reboot
began() { sed 's/.*) //' "/proc/$1/stat" | cut -d ' ' -f 20; }
list() {
  process=$(of process)
  find /proc -maxdepth 1 -name '[0-9]*' -user "$(id -u)" 2>/dev/null | while read -r dir; do
    case "$(tr '\000' ' ' <"$dir/cmdline" || true)" in *"$process"*) ;; *) continue ;; esac
    release=$({ ls -l "$dir/fd" && ls -l "$dir/exe" "$dir/cwd"; } | awk -v root=" -> $root/releases/" 'at = index($0, root) {
      rest = substr($0, at + length(root)); sub("[/ ].*", "", rest); print rest; exit }')
    pid=${dir##*/}
    if grep -qx "$pid $(began "$pid")" "$ending"; then state=ENDING; else state=RUNNING; fi
    if [ -n "$release" ]; then printf '%s:%s %s %s %s\n' "$group" "$pid" "$state" "$pid" "$release"; fi
  done 2>/dev/null
}
line() {
  export CUTOVER_PATH="$root" CUTOVER_RELEASE="$1" CUTOVER_RELEASE_PATH="$root/releases/$1" CUTOVER_PIDS="$2"
  cd "$CUTOVER_RELEASE_PATH" && sh -eu -c -- "$3" </dev/null
}
end() {
  live=$(readlink "$root/current" || true) text=$(of end)
  case $0 in
    queue_restart) cd "$root/current" && php artisan queue:restart ;; horizon) horizon "$@" ;;
    *) if [ -n "$text" ]; then line "${live##*/}" "$*" "$text"; else kill -TERM "$@" || true; fi ;;
  esac
}
case $verb in
  list) list ;; kill) kill -KILL "$2" ;;
  add) [ "$(list | grep -c " RUNNING [0-9]* $1\$")" -ge "$2" ] || line "$1" '' "$(of start)" ;;
  drop | keep) pids=$(list | awk -v verb="$verb" -v release="$1" '$2 == "RUNNING" && ($4 == release) == (verb == "drop") { print $3 }') ;;
  end) while [ "$#" -gt 1 ]; do pids="$pids $2" && shift 2; done ;;
esac
told() { { cat "$ending" || true; for pid in $pids; do echo "$pid $(began "$pid")"; done; } | while read -r pid since; do
  [ -z "$since" ] || [ "$(began "$pid")" != "$since" ] || echo "$pid $since"; done; }
[ -z "$pids" ] || end $pids
[ "$verb" = end ] || [ -z "$pids" ] || { told >"$ending.new" 2>/dev/null && mv "$ending.new" "$ending"; }
