# supervisor VERB ROOT GROUP SUDO SETTINGS [ARGUMENT…]
# Workers of a supervisor group. With overlap there is one for each release, `GROUP@RELEASE-N`, made by a program on the
# host that is its operator's: whoever writes supervisord's files decides what it runs, and mostly as root.
verb=$1 group=$3 sudo=$4 settings=$5
shift 5
as() { if [ "$sudo" = yes ]; then sudo -n "$@"; else "$@"; fi; }
ctl() { as supervisorctl "$@"; }
# Not every sudo looks for it there: in Debian testing `secure_path` does not say so.
place=/usr/local/sbin/cutover-supervisor
if [ "$sudo" != yes ] || [ ! -x "$place" ]; then place=cutover-supervisor; fi
groups() { as "$place" "$1" "$group" ${2:+"$2"}; }
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
  # Signals go from the user to his own processes, at once and without a right.
  kill) kill -KILL "$2" ;;
  restart) ctl restart "$group:*" ;;
  end)
    while [ "$#" -gt 1 ]; do
      kill -TERM "$2" || true
      shift 2
    done ;;
esac
