# supervisor VERB ROOT GROUP SUDO SETTINGS [ARGUMENT…]
# Workers of a supervisor group. With overlap there is one for each release, `GROUP@RELEASE-N`, made by a program on the
# host that is its operator's: whoever writes supervisord's files decides what it runs, and mostly as root.
verb=$1 group=$3 sudo=$4 settings=$5
shift 5
as() { if [ "$sudo" = yes ]; then sudo -n "$@"; else "$@"; fi; }
ctl() { as supervisorctl "$@"; }
groups() { as cutover-supervisor "$1" "$group" ${2:+"$2"}; }
listed() {
  case $settings in 'hand_over overlap'*) groups list || exit; return ;; esac
  status=0
  table=$(ctl status "$group:*" 2>&1) || status=$?
  # 3 says that some process does not run, which is for the caller to judge.
  if [ "$status" = 0 ] || [ "$status" = 3 ]; then printf '%s\n' "$table" && return; fi
  printf 'supervisorctl status %s: %s\n' "$group:*" "$table" >&2
  return 69
}
case $verb in
  list)
    table=$(listed) || exit
    printf '%s\n' "$table" | while read -r name state word pid _; do
      [ -n "$name" ] || continue
      [ "$word" = pid ] || pid=-
      if [ "$state" = STOPPING ]; then state=ENDING; fi
      printf '%s %s %s\n' "$name" "$state" "${pid%,}"
    done ;;
  add | drop | keep) groups "$verb" "$1" ;;
  begin) ctl start "$1" ;;
  kill)
    # What ends for good is signalled by its own user, which needs no right.
    case $settings in *'hand_over overlap'*) kill -KILL "$2" ;; *) ctl signal KILL "$1" ;; esac ;;
  restart) ctl restart "$group:*" ;;
  end)
    while [ "$#" -gt 1 ]; do
      ctl signal TERM "$1"
      shift 2
    done ;;
esac
