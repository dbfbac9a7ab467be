# What comes behind the recipe of a manager, which is the function `inner` then, and family.sh: servers that keep the app in
# memory. Listed are families of processes. One runs a release when none of it runs another, and is up when one of it takes
# connections: at the port of its command, where that says one.
# shellcheck disable=SC2034,SC2046,SC2086
verb=$1 root=$(cd "$2" && pwd -P) settings=$5
list() {
  table=$(inner "$@") || exit
  printf '%s\n' "$table" | while release='' && read -r name state pid _ _ restarts; do
    [ -n "$name" ] || continue
    if [ "$pid" != - ]; then
      all=$(family "$pid") && release=$(releases $all) && port=$(port $all)
      case $state$settings in RUNNING*listens*) sockets $all | grep -q "^0A ${port:+$port\$}" || state=STARTING ;; esac
      # One that ends has no memory any more, and its files are root's until somebody has asked for its status.
      for one in $all; do [ -r "/proc/$one/fd" ] || ! grep -q '^VmSize:' "/proc/$one/status" 2>/dev/null || state=HIDDEN; done
    fi
    printf '%s %s %s %s ?%s\n' "$name" "$state" "$pid" "${release:-?}" "${restarts:+ $restarts}"
  done
}
# The commands of Octane in a family, without what only wraps another one.
commands() {
  below=$(for pid in $(children "$1"); do commands "$pid"; done)
  if [ -n "$below" ]; then echo "$below"; elif artisan "$1" | grep -qE '^octane:(start|swoole|roadrunner|frankenphp)$'; then echo "$1"; fi
}
# Octane's own command ends Swoole by KILL, requests and all. The server below it lets them finish on TERM. But then Swoole
# waits for Octane's timer for ever, so the command is told as well once nobody is connected any more: to a port that it
# listened at, for its own connections to a database or the like stay for as long as it does.
end() {
  told=$(commands "$1") && servers=$(for pid in $told; do children "$pid"; done) && until=$(($(date +%s) + ${settings##*grace }))
  if [ -n "$servers" ]; then all=$(family "$1") && ports=$(port $all) && ports=${ports:-$(sockets $all | sed -n 's/^0A //p' | sort -u | paste -sd '|' -)}; fi
  kill -TERM ${servers:-$1} || true
  [ -n "$servers" ] || return 0
  while sleep 0.1 && sockets $(family "$1") | grep -qE "^01 (${ports:-.})" && [ "$(date +%s)" -lt "$until" ]; do :; done
  kill -TERM $told 2>/dev/null || true
}
case $verb in list) list "$@" ;; kill) kill -KILL $(family "$7") || true ;; end) end "$7" ;; *) (inner "$@") ;; esac
