# What comes behind docker.sh or compose.sh: containers, whoever made them. One says its release by its label
# `cutover.release`, and by its name that it was told to end. One that ended well is removed then.
# shellcheck disable=SC2154,SC2086
if [ "$sudo" = yes ]; then as='sudo -n'; else as=; fi
docker() { command $as docker "$@"; }
value() { printf '%s\n' "$settings" | sed -n "s/^$1 //p"; }
# Each container: id, name, state, pid, exit status, how often it was started again, release.
rows() {
  ids=$(mine) || exit
  [ -n "$ids" ] || return 0
  docker inspect --format '{{printf "%.12s" .Id}} {{.Name}} {{.State.Status}} {{.State.Pid}} {{.State.ExitCode
    }} {{.RestartCount}} {{or (index .Config.Labels "cutover.release") "-"}}' $ids 2>/dev/null ||
    # One that is removed just now is no fault; nobody to ask is one.
    docker version >/dev/null || exit
}
list() {
  table=$(rows) || exit
  printf '%s\n' "$table" | while read -r id name state pid code restarts release; do
    case $name:$state in
      :) continue ;;
      # What did not end well stays until it was said.
      /ending.*:exited) if [ "$code" = 0 ]; then continue; else state=LOST:$code; fi ;;
      /ending.*) state=ENDING ;;
      *:running) if ! is_shell "$pid" 2>/dev/null; then state=RUNNING; elif is_old "$pid"; then state=FATAL:SHELL; else state=SHELL; fi ;;
      *:created) state=STARTING ;;
      *) if [ "$restarts" -ge 2 ]; then state=FATAL; else state=BACKOFF; fi ;;
    esac
    if [ "$pid" = 0 ]; then pid=-; fi
    printf '%s@%s-%s %s %s %s ? %s\n' "$group" "$release" "$id" "$state" "$pid" "$release" "$restarts"
  done
}
