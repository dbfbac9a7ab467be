# older ROOT RELEASE WORKERS   (WORKERS: texts of command lines, one a line)
# Names commands of the app that run on another release and are no workers: a long run of the scheduler, mostly. They end by
# themselves, and the release that they run is not removed under them.
root=$(cd "$1" && pwd -P) release=$2 workers=$3
# shellcheck disable=SC2012
ls -l /proc/[0-9]*/fd 2>/dev/null | awk -v root=" -> $root/releases/" -v live="$release" '
  /^\/proc\// { split($0, part, "/"); pid = part[3] }
  at = index($0, root) { rest = substr($0, at + length(root)); split(rest, part, "/")
    if (part[2] == "artisan" && part[3] == "" && part[1] != live && !seen[pid]++) print pid, part[1] }' |
  while read -r pid on; do
    words=$(tr '\000' ' ' <"/proc/$pid/cmdline" 2>/dev/null) || continue
    printf '%s\n' "$words" | grep -qF -e "$workers" || echo "still runs on $on: $words(pid $pid)"
  done
