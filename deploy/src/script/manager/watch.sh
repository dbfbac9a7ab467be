# What comes behind pods.sh: how pods of other releases end, which nobody can ask for afterwards.
# shellcheck disable=SC2034,SC2154,SC2016
seen=$root/.cutover/pods.$group
# Writes `POD RELEASE END` for each, as long as the file is for this hand-over. A line that breaks, as by a balancer between, is
# begun anew.
watch='seen=$1 by=$2 release=$3 container=$4 until=$(($(date +%s) + $5)) labels=$6 template=$7 && shift 7
  while grep -qx "by $by" "$seen" && left=$((until - $(date +%s))) && [ "$left" -gt 0 ]; do
    "$@" get pods --selector "$labels" --watch --request-timeout "${left}s" --output "go-template=$template" 2>>"$seen.said" |
      while read -r pod of killed name state _; do
        grep -qx "by $by" "$seen" || kill 0
        grep -qx watched "$seen" || echo watched >>"$seen"
        if [ "$name" != "$container" ] || [ "$of" = "$release" ]; then continue; fi
        case $killed$state in
          -* | *running)
            grep -q "^$pod " "$seen" || echo "$pod $of -" >>"$seen"
            continue ;;
          *exit:*) end=${state#exit:} ;;
          # One that did not come up has no job.
          *Err* | *BackOff | *Invalid* | *Creating | *Initializing) end=0 ;;
          # Its node put it out.
          over*) end=137 ;;
          # Old clusters do not tell how it ended. They do tell when it would have been killed.
          *) if expr "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "<" "$killed" >/dev/null; then end=0; else end=137; fi ;;
        esac
        # Who had ended before did so in another hand-over, and may stay in sight for long.
        grep -qx "$pod $of -" "$seen" && echo "$pod $of $end" >>"$seen" || continue
        if awk "NF == 3 { if (\$3 == \"-\") runs[\$1]; else delete runs[\$1] } END { for (pod in runs) exit 1 }" "$seen"; then kill 0; fi
      done
    sleep 1
  done'
