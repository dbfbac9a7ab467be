# systemd VERB ROOT GROUP SUDO SETTINGS [ARGUMENT…]   (called as systemd_user: the user's own systemd)
# Workers that are units: GROUP.service and GROUP@….service. With overlap they are GROUP@RELEASE-N.service of the operator's
# template, enabled as long as they are to stay. Signals go from the user to his own processes, which needs no right.
# shellcheck disable=SC2046
verb=$1 group=$3 sudo=$4 settings=$5
shift 5
[ "$0" = systemd ] || export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"
look() { if [ "$0" = systemd ]; then systemctl "$@"; else systemctl --user "$@"; fi; }
ctl() { if [ "$0" = systemd ] && [ "$sudo" = yes ]; then sudo -n systemctl "$@"; else look "$@"; fi; }
units() {
  shown=$(look show --property=Id,LoadState,ActiveState,MainPID,UnitFileState,NRestarts "$group.service" "$group@*.service") || exit
  printf '%s\n' "$shown" | awk -v settings="$settings" 'function tell() {
        pid = v["MainPID"] + 0 ? v["MainPID"] : "-"; state = word[v["ActiveState"]]
        if (settings ~ /^hand_over overlap/ && v["Id"] ~ /@/ && v["UnitFileState"] !~ /^enabled/) state = pid == "-" ? "" : "ENDING"
        if (v["LoadState"] == "loaded" && state != "") print v["Id"], state, pid, "?", "?", v["NRestarts"]
      }
      BEGIN { FS = "="; word["active"] = word["reloading"] = "RUNNING"; word["activating"] = "STARTING"
        word["deactivating"] = "ENDING"; word["failed"] = "FATAL"; word["inactive"] = "STOPPED" }
      NF { v[$1] = $2; next } { tell() } END { if ($0 != "") tell() }'
}
# Units that are to stay: those of a release (-h), or all others (-v), also one that ran without a template before.
staying() { printf '%s\n' "$all" | awk '$2 != "ENDING" && ($1 ~ /@/ || $3 != "-") { print $1 }' | grep "$1" -e "^$group@$2-[0-9]*\.service\$" || true; }
case $verb in add | drop | keep | restart) all=$(units) ;; esac
case $verb in
  list) units ;; begin) ctl start "$1" ;; kill) kill -KILL "$2" ;;
  end) while [ "$#" -gt 1 ]; do kill -TERM "$2" || true && shift 2; done ;;
  # All at once: each may have a job to finish.
  restart) set --; for unit in $(printf '%s\n' "$all" | sed 's/ .*//'); do ctl restart "$unit" & set -- "$@" "$!"; done; for pid; do wait "$pid"; done ;;
  add)
    wanted=$2 number=0 release=$1 used=" $(printf '%s\n' "$all" | awk '{ print $1 }' | tr '\n' ' ')"
    set -- $(staying -h "$release")
    while [ "$#" -lt "$wanted" ]; do
      number=$((number + 1))
      case $used in *" $group@$release-$number.service "*) ;; *) set -- "$@" "$group@$release-$number.service" ;; esac
    done
    ctl --quiet enable --now "$@" ;;
  drop | keep)
    if [ "$verb" = drop ]; then set -- $(staying -h "$1"); else set -- $(staying -v "$1"); fi
    [ "$#" = 0 ] || ctl --quiet disable --now --no-block "$@" ;;
esac
