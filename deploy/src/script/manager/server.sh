# What comes behind the recipe of a manager, which is the function `inner` then: servers that keep the app in memory. Listed
# are families of processes. One runs a release when none of it runs another, and is up when one of it takes connections.
# shellcheck disable=SC2046,SC2086
verb=$1 root=$(cd "$2" && pwd -P) settings=$5
family() { echo "$1" && for child in $(children "$1"); do family "$child"; done; }
children() { cat "/proc/$1/task/"*/children 2>/dev/null || true; }
open() { for pid; do ls -l "/proc/$pid/fd" "/proc/$pid/exe" "/proc/$pid/cwd" || true; done 2>/dev/null; }
releases() {
  open "$@" | awk -v root=" -> $root/releases/" 'at = index($0, root) {
    rest = substr($0, at + length(root)); sub("[/ ].*", "", rest); if (!seen[rest]++) { printf "%s%s", plus, rest; plus = "+" } }'
}
sockets() { # Whether one of these processes has a socket in a state: 0A listens, 01 is connected.
  { open "$@" | sed -n 's/.*socket:\[\([0-9]*\)\]$/own \1/p' && { cat /proc/net/tcp /proc/net/tcp6 /proc/net/unix 2>/dev/null || true; }; } |
    awk -v state="$1" '$1 == "own" { own[$2]; next }
      $4 == state && $10 in own || state == "0A" && $4 == "00010000" && $7 in own { is = 1 } END { exit !is }'
}
list() {
  table=$(inner "$@")
  printf '%s\n' "$table" | while release='' && read -r name state pid; do
    [ -n "$name" ] || continue
    if [ "$pid" != - ]; then
      all=$(family "$pid") && release=$(releases $all)
      case $state$settings in RUNNING*listens*) sockets 0A $all || state=STARTING ;; esac
    fi
    printf '%s %s %s %s\n' "$name" "$state" "$pid" "$release"
  done
}
# Octane's own command ends Swoole by KILL, requests and all. The server below it lets them finish on TERM. But then Swoole
# waits for Octane's timer for ever, so the command is told as well once nobody is connected any more.
end() {
  servers=$(for pid in $(family "$1"); do
    case $(tr '\000' ' ' <"/proc/$pid/cmdline" || true) in *artisan\ octane:*) children "$pid" ;; esac
  done 2>/dev/null)
  kill -TERM ${servers:-$1} && [ -n "$servers" ] && until=$(($(date +%s) + ${settings##*grace })) || return 0
  while sleep 0.1 && sockets 01 $(family "$1") && [ "$(date +%s)" -lt "$until" ]; do :; done
  kill -TERM "$1" 2>/dev/null || true
}
case $verb in list) list "$@" ;; kill) kill -KILL $(family "$7") || true ;; end) end "$7" ;; *) (inner "$@") ;; esac
