# What comes behind the recipe of a manager and before server.sh: what the kernel tells of processes and their children.
# shellcheck disable=SC2046,SC2086,SC2154
port=
family() { echo "$1" && for child in $(children "$1"); do family "$child"; done; }
children() { cat "/proc/$1/task/"*/children 2>/dev/null || true; }
open() { for pid; do ls -l "/proc/$pid/fd" "/proc/$pid/exe" "/proc/$pid/cwd" || true; done 2>/dev/null; }
releases() {
  open "$@" | awk -v root=" -> $root/releases/" 'at = index($0, root) {
    rest = substr($0, at + length(root)); sub("[/ ].*", "", rest); if (!seen[rest]++) { printf "%s%s", plus, rest; plus = "+" } }'
}
sockets() { # Whether one of these processes has a socket in a state: 0A listens (at $port, where it is set), 01 is connected.
  { open "$@" | sed -n 's/.*socket:\[\([0-9]*\)\]$/own \1/p' && { cat /proc/net/tcp /proc/net/tcp6 /proc/net/unix 2>/dev/null || true; }; } |
    awk -v state="$1" -v port="$port" '$1 == "own" { own[$2]; next } port != "" && state == "0A" && $2 !~ (":" port "$") { next }
      $4 == state && $10 in own || state == "0A" && $4 == "00010000" && $7 in own { is = 1 } END { exit !is }'
}
# Of one process the words of its artisan command, a line each, or nothing.
artisan() { { tr '\000' '\n' <"/proc/$1/cmdline" || true; } 2>/dev/null | awk 'is; /(^|\/)artisan$/ { is = 1 }'; }
# The port that a family is told to listen at, as the kernel writes it.
port() { for pid; do artisan "$pid"; done | awk 'told || sub(/^--port=/, "") { if ($0 + 0) printf "%04X", $0; exit }
  { told = $0 == "--port" }'; }
