#!/bin/sh
# haproxy.sh away|back
# Takes a web host out of HAProxy before its swap, and returns it when it is healthy. Put this file into your
# repository, set the two values, and say in cutover.toml, below [steps]:
#   before_swap = ["sh haproxy.sh away"]
#   after_health = ["sh haproxy.sh back"]
# HAProxy must call its servers as cutover.toml calls the hosts: see haproxy.cfg. The hosts need socat.
set -eu
socket=TCP:balancer.internal:9999
backend=shop

say() {
  printf '%s\n' "$1" | socat -t 5 - "$socket"
}

# HAProxy answers with an empty line when it has done so, and with words when it has not.
turn() {
  answer=$(say "set server $backend/$CUTOVER_HOST state $1")
  [ -z "$answer" ] || {
    echo "HAProxy does not set $backend/$CUTOVER_HOST to $1: $answer" >&2
    exit 1
  }
}

under_way() {
  say "show stat" | awk -F , -v backend="$backend" -v server="$CUTOVER_HOST" '$1 == backend && $2 == server { print $5 }'
}

case ${1-} in
  away)
    turn drain
    # Requests that are under way end first, as far as they take less than 30 seconds.
    tries=0
    while [ "$(under_way)" != 0 ] && [ "$tries" -lt 150 ]; do
      sleep 0.2
      tries=$((tries + 1))
    done
    ;;
  back) turn ready ;;
  *)
    echo "haproxy.sh takes away or back, not ${1-nothing}" >&2
    exit 64
    ;;
esac
