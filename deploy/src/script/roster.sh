# roster ROOT RECIPE MANAGER GROUP SUDO SETTINGS
# Lists workers, a line each: name, state, pid, the release that it runs and when it began, in seconds since 1970; and how
# often its manager has started it anew, where that counts it.
# Where the manager's recipe does not know the release itself, the kernel's word counts: the script that the process holds
# open, or its program, or its folder. The command line says only `current`. What began just now has proven nothing yet.
root=$(cd "$1" && pwd -P) recipe=$2 manager=$3
shift 3
table=$(sh -euc "$recipe" "$manager" list "$root" "$@")
# By the clock that processes are told by; in a container that of /proc/uptime may be another one.
uptime=$(awk '{ sub(/.*\) /, ""); printf "%.2f", $20 / 100 }' /proc/self/stat)
now=$(date +%s)
of() {
  { ls -l "/proc/$1/fd" && ls -l "/proc/$1/exe" && ls -l "/proc/$1/cwd"; } 2>/dev/null |
    awk -v root=" -> $root/releases/" 'at = index($0, root) {
      rest = substr($0, at + length(root)); sub("[/ ].*", "", rest); print rest; exit }'
}
printf '%s\n' "$table" | while read -r name state pid release since restarts; do
  [ -n "$name" ] || continue
  release=${release#"?"} since=${since#"?"}
  if [ "$pid" != - ] && [ -z "$release" ]; then release=$(of "$pid"); fi
  if [ "$pid" != - ] && [ -z "$since" ]; then
    age=$(awk -v up="$uptime" '{ sub(/.*\) /, ""); print int(up - $20 / 100) }' "/proc/$pid/stat" 2>/dev/null) || age=
    [ -z "$age" ] || since=$((now - age))
    if [ "$state" = RUNNING ] && [ "${age:-0}" -lt 1 ]; then state=STARTING; fi
  fi
  printf '%s %s %s %s %s%s\n' "$name" "$state" "$pid" "${release:--}" "${since:--}" "${restarts:+ $restarts}"
done
