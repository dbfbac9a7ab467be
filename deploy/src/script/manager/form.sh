# What comes before anything that stops containers: whether a job would be lost by it.
# would_lose COMMAND SECONDS GRACE LINE: COMMAND is quoted words; it is killed SECONDS after TERM, and may need GRACE, which
# a file says by LINE. Tells why and what mends it, or is false.
would_lose() {
  # The text that a shell is given, without the quotes around it and what only looks like an ampersand.
  text=$(printf '%s\n' "$1" | sed -nE 's/^(.* )?"([^" ]*\/)?(ba|da|a|k|z)?sh"( "-[^"]*"| "pipefail")* "-[A-Za-z]*c" "(.*)$/\5/p' |
    sed 's/[0-9]*>&[0-9]*//g')
  if [ -n "$text" ] && ! printf '%s\n' "$text" | grep -qE '(^|[&;]|\\n) *exec [^;&|]*$'; then
    echo "a shell runs its command, and either keeps TERM from PHP or dies by it and takes the job along: $1" >&2
    echo 'write it as words, command: ["php", "artisan", "queue:work"], or let the shell text begin with exec' >&2
    return 0
  fi
  if [ "$2" -lt "$3" ]; then
    echo "it is killed $2 s after it was told to end, and a job may take $3 s by drain_timeout; write: $4" >&2
    return 0
  fi
  return 1
}
# The process that a container runs: behind an init of its own it is the one that this has started.
inner() {
  read -r program <"/proc/$1/comm" && case $program in
    docker-init | tini | dumb-init) cut -d ' ' -f 1 "/proc/$1/task/$1/children" ;;
    *) echo "$1" ;;
  esac
}
# A shell that waits for PHP keeps TERM from it. One that only prepares becomes PHP within ten seconds.
is_shell() { php=$(inner "$1") && read -r program <"/proc/$php/comm" && case $program in sh | dash | ash | bash | busybox) ;; *) false ;; esac; }
is_old() { awk '{ sub(/.*\) /, "") } NR == 1 { now = $20; next } { exit now - $20 < 1000 }' /proc/self/stat "/proc/$1/stat" 2>/dev/null; }
# Whether it listens for signals as Laravel's workers do: by CONT, the 18th of these bits. Any PHP catches TERM, to die of it.
hears() { php=$(inner "$1") && sed -n 's/^SigCgt:.*\(.....\)$/\1/p' "/proc/$php/status" | grep -q '^[2367abef]'; }
