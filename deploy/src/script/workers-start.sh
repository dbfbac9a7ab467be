# workers-start ROOT RELEASE EXPECT SECONDS NEED ROSTER RECIPE MANAGER GROUP SUDO SETTINGS
# Starts workers of a release beside all others, and waits until they are proven to run it. Those that do not come up are
# taken back, but what is live keeps what it has. On a way back NEED is `no`: who serves requests goes back in any case.
# What is begun is marked before it is, for who has to take it back.
# shellcheck disable=SC2016
root=$1 release=$2 expect=$3 seconds=$4 need=$5 roster=$6 recipe=$7 manager=$8 group=$9
shift 9 && sudo=$1 settings=$2
manager() { verb=$1 && shift && sh -euc "$recipe" "$manager" "$verb" "$root" "$group" "$sudo" "$settings" "$@"; }
with() { printf '%s\n' "$table" | awk -v release="$release" "$1"; }
start() {
  manager add "$release" "$expect" "$need" || return
  until=$(($(date +%s) + seconds))
  while :; do
    table=$(sh -euc "$roster" roster "$root" "$recipe" "$manager" "$group" "$sudo" "$settings") || return
    fresh=$(with '$4 == release && $2 == "RUNNING"' | wc -l)
    if [ "$fresh" -ge "$expect" ]; then break; fi
    # What its manager has given up never comes; it is named by release, and told last: only the end may be shown.
    given_up=$(with 'index($1, "@" release "-") && index($2, "FATAL") == 1')
    if [ -n "$given_up" ] || [ "$(date +%s)" -ge "$until" ]; then
      { with '!index($1, "@" release "-")' && with 'index($1, "@" release "-")'; } >&2
      echo "$fresh of $expect workers of $group came up on the release" >&2
      return 70
    fi
    sleep 0.2
  done
  with '$4 == release && $2 == "RUNNING" { print "started", $1, $3, $4, $5 }'
}
marks=$root/.cutover/hand-over.$group status=0
[ "$need" = no ] || echo "start $release" >>"$marks"
start || status=$?
if [ "$status" != 0 ] && [ "$need" = no ]; then echo "its workers are not up yet" && exit 0; fi
if [ "$status" != 0 ]; then
  [ "$(readlink "$root/current" || true)" = "releases/$release" ] || manager drop "$release" || true
elif [ "$need" != no ]; then
  # All that are meant to run, also those that start anew just now: of one without a process only its name says its release.
  beside=$(with '$2 ~ /^(RUNNING|STARTING|BACKOFF)$/ && $4 != release && ($4 != "-" || !index($1, "@" release "-"))' | wc -l)
  live=$(readlink "$root/current" || echo -)
  echo "beside $release $beside live ${live##*/}" >>"$marks"
fi
exit "$status"
