# roster ROOT GROUP SUDO
# Lists the processes of a supervisor group: name, state, pid, and the release whose script it holds open.
# The kernel's word counts: the command line says only `current`, and the working folder is often elsewhere.
root=$(cd "$1" && pwd -P) group=$2 sudo=$3
if [ "$sudo" = yes ]; then set -- sudo -n supervisorctl; else set -- supervisorctl; fi
status=0
table=$("$@" status "$group:*" 2>&1) || status=$?
# 3 says that some process does not run, which is for the caller to judge.
if [ "$status" != 0 ] && [ "$status" != 3 ]; then
  printf 'supervisorctl status %s: %s\n' "$group:*" "$table" >&2
  exit 69
fi
printf '%s\n' "$table" | while read -r name state _ pid _; do
  [ "$state" = RUNNING ] || pid=-
  pid=${pid%,} release=
  if [ "$pid" != - ]; then
    release=$(
      for fd in "/proc/$pid/fd"/*; do readlink "$fd" || true; done 2>/dev/null |
        awk -v root="$root/releases/" 'index($0, root) == 1 {
          rest = substr($0, length(root) + 1); sub("/.*", "", rest); print rest; exit }'
    )
  fi
  printf '%s %s %s %s\n' "$name" "$state" "$pid" "${release:--}"
done
