# older ROOT RELEASE
# Names commands of the app that run on another release and that no hand-over since the swap has told of, by the journal of the
# host: a long run of the scheduler, mostly, which ends by itself, and workers whose group `cutover.toml` does not have (any
# more), which never do. None is ended, and the release that it runs is not removed under it.
root=$(cd "$1" && pwd -P) release=$2
told=$(tail -n 500 "$root/.cutover/log.jsonl" 2>/dev/null | awk '/"did":"swap"/ { told = "" }
  /"did":"workers"/ { while (match($0, /"pid":"[0-9]+"/)) {
    told = told " " substr($0, RSTART + 7, RLENGTH - 8); $0 = substr($0, RSTART + RLENGTH) } }
  END { print told " " }')
# Whether a process, or one that it descends from, was told of: what a manager lists may only wrap the worker.
is_told() {
  at=$1
  while [ "${at:-0}" -gt 1 ]; do
    case $told in *" $at "*) return 0 ;; esac
    at=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$at/status" 2>/dev/null) || return 1
  done
  return 1
}
# shellcheck disable=SC2012
ls -l /proc/[0-9]*/fd 2>/dev/null | awk -v root=" -> $root/releases/" -v live="$release" '
  /^\/proc\// { split($0, part, "/"); pid = part[3] }
  at = index($0, root) { rest = substr($0, at + length(root)); split(rest, part, "/")
    if (part[2] == "artisan" && part[3] == "" && part[1] != live && !seen[pid]++) print pid, part[1] }' |
  while read -r pid on; do
    words=$(tr '\000' ' ' <"/proc/$pid/cmdline" 2>/dev/null) || continue
    if [ -z "$words" ] || is_told "$pid"; then continue; fi
    case $words in
      *' --once '* | *' --stop-when-empty '*) ;;
      *' queue:'* | *' horizon'* | *' schedule:work '*)
        echo "left behind on $on: $words(pid $pid), of no group in cutover.toml; it stays there until you end it or its group" && continue ;;
    esac
    echo "still runs on $on: $words(pid $pid)"
  done
