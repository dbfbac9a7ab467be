# What comes behind the recipe of a manager and before server.sh: what the kernel tells of processes and their children.
# shellcheck disable=SC2046,SC2086,SC2154
family() { echo "$1" && for child in $(children "$1"); do family "$child"; done; }
children() { cat "/proc/$1/task/"*/children 2>/dev/null || true; }
open() { for pid; do ls -l "/proc/$pid/fd" "/proc/$pid/exe" "/proc/$pid/cwd" || true; done 2>/dev/null; }
releases() {
  open "$@" | awk -v root=" -> $root/releases/" 'at = index($0, root) {
    rest = substr($0, at + length(root)); sub("[/ ].*", "", rest); if (!seen[rest]++) { printf "%s%s", plus, rest; plus = "+" } }'
}
# The sockets of these processes, a line each: what it does (0A listens, 01 is connected), and its own port as the kernel
# writes it. One that listens at a file has `-`.
sockets() {
  { open "$@" | sed -n 's/.*socket:\[\([0-9]*\)\]$/own \1/p' && { cat /proc/net/tcp /proc/net/tcp6 /proc/net/unix 2>/dev/null || true; }; } |
    awk '$1 == "own" { own[$2]; next } $4 == "00010000" && $7 in own { print "0A -" }
      $10 in own { sub(/.*:/, "", $2); print $4, $2 }'
}
# Of one process the words of its artisan command, a line each, or nothing.
artisan() { { tr '\000' '\n' <"/proc/$1/cmdline" || true; } 2>/dev/null | awk 'is; /(^|\/)artisan$/ { is = 1 }'; }
# The port that a family is told to listen at, as the kernel writes it.
port() { for pid; do artisan "$pid"; done | awk 'told || sub(/^--port=/, "") { if ($0 + 0) printf "%04X", $0; exit }
  { told = $0 == "--port" }'; }
