# What comes behind pods.sh, watch.sh, listing.sh, form.sh and template.sh: the verbs of the recipe. A Deployment starts new pods
# and ends old ones by a strategy of its own, so a patch is all that it is told.
# shellcheck disable=SC2154,SC2086
# unseen NEED: says that pods would end unseen, and goes on with a way back only.
unseen() {
  true >"$seen" && tail -n 1 "$seen.said" >&2
  echo "nobody could see how pods of $group end: may cutover watch pods?" >&2
  [ "$1" = no ] || exit 70
}
# begin_watch RELEASE NEED: has somebody watch, and returns when no end can be missed any more.
begin_watch() {
  table=$(rows) && labels=$(selector) || exit
  { echo "by $1-$$" && printf '%s\n' "$table" | awk -v release="$1" '
    NF == 8 && $2 != release && ($3 == "-" || $5 == "running") { print $1, $2, "-" }'; } >"$seen"
  if ! grep -q ' -$' "$seen"; then return; fi
  # A watch lists what there is before it is refused.
  if ! kube auth can-i watch pods >"$seen.said" 2>&1; then unseen "$2" && return; fi
  setsid sh -euc "$watch" watch "$seen" "$1-$$" "$1" "$container" "$(($(value grace) + 390))" "$labels" "$pod" \
    $as kubectl --namespace "$(value namespace)" </dev/null >/dev/null 2>&1 &
  if [ "$2" = no ]; then left=30; else left=150; fi
  while sleep 0.1 && ! grep -qx watched "$seen"; do
    if [ "$((left -= 1))" -lt 0 ]; then unseen "$2" && return; fi
  done
}
add() {
  if refuse; then exit 70; fi
  if [ "$(now)" = "$1" ]; then return; fi
  begin_watch "$1" "$3"
  kube patch deployment "$group" --patch "$(value patch)" >/dev/null
}
case $verb in
  list) list ;;
  add) add "$@" ;;
  # What it ends it ends by itself.
  keep) ;;
  drop) if [ "$(now)" = "$1" ]; then true >"$seen" && kube rollout undo "deployment/$group" >/dev/null; fi ;;
  kill)
    pod=${1#"$group@"}
    kube delete pod "$group-${pod#*-*-}" --grace-period 1 --wait=false >/dev/null ;;
esac
