# What comes behind pods.sh, form.sh and template.sh: the verbs of the recipe. A Deployment starts new pods and ends old ones by a
# strategy of its own, so a patch is all that it is told.
# shellcheck disable=SC2154,SC2016,SC2086
# Writes down how pods of other releases end, until there are none: nobody can ask for it afterwards.
watch='seen=$1 release=$2 container=$3 seconds=$4 labels=$5 template=$6
  shift 6
  "$@" get pods --selector "$labels" --watch --request-timeout "${seconds}s" --output "go-template=$template" |
    while read -r pod of killed name state _; do
      if [ "$name" != "$container" ] || [ "$of" = "$release" ]; then continue; fi
      case $killed$state in
        -* | *running) continue ;;
        *exit:*) end=${state#exit:} ;;
        # Old clusters do not tell how it ended. They do tell when it would have been killed.
        *) if expr "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "<" "$killed" >/dev/null; then end=0; else end=137; fi ;;
      esac
      echo "$pod $of $end" >>"$seen"
      left=$("$@" get pods --selector "$labels" --output "go-template={{range .items}}$template{{end}}") || continue
      printf "%s\n" "$left" | grep -qv "^[^ ]* $release " || kill 0
    done'
add() {
  if refuse; then exit 70; fi
  if [ "$(now)" = "$1" ]; then return; fi
  table=$(rows) || exit
  printf '%s\n' "$table" | awk -v release="$1" 'NF == 8 && $2 != release { print $1, $2, "-" }' >"$seen"
  setsid sh -euc "$watch" watch "$seen" "$1" "$container" "$(($(value grace) + 390))" "$(selector)" "$pod" \
    $as kubectl --namespace "$(value namespace)" </dev/null >/dev/null 2>&1 &
  kube patch deployment "$group" --patch "$(value patch)" >/dev/null
}
case $verb in
  list) list ;;
  add) add "$1" ;;
  # What it ends it ends by itself.
  keep) ;;
  drop) if [ "$(now)" = "$1" ]; then kube rollout undo "deployment/$group" >/dev/null; fi ;;
  kill)
    pod=${1#"$group@"}
    kube delete pod "$group-${pod#*-*-}" --grace-period 1 --wait=false >/dev/null ;;
esac
