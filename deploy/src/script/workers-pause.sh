# workers-pause ROOT RELEASE NEED SECONDS ROSTER RECIPE MANAGER GROUP SUDO SETTINGS
# Has workers of other releases take no further job: after the swap newer code puts its own on the queue, and they are told
# to end only then. Laravel's pause at USR2 and go on at CONT; to others USR2 is death, so only who handles both is asked.
# Who is not told to end goes on when the hand-over is over (the mark is gone), which may have been a way back, and by himself
# whatever becomes of this deployment. On a way back, where NEED is `no`, the swap does not depend on it.
# shellcheck disable=SC2016
root=$1 release=$2 need=$3 seconds=$4 roster=$5 mark=$1/.cutover/paused.$8 told='' own="$$ $(date +%s)"
shift 5
table=$(sh -euc "$roster" roster "$root" "$@") || { status=$? && [ "$need" != no ] || exit 0; exit "$status"; }
began() { sed 's/.*) //' "/proc/$1/stat" | cut -d ' ' -f 20; }
pauses() {
  tr '\000' '\n' <"/proc/$1/cmdline" | grep -qxE '(queue|horizon):work' || return
  caught=$(sed -n 's/^SigCgt:.*\(........\)$/\1/p' "/proc/$1/status")
  [ "$((0x${caught:-0} & 0x20800))" = "$((0x20800))" ] && kill -0 "$1"
}
for pid in $(printf '%s\n' "$table" | awk -v release="$release" 'NF && $3 != "-" && $4 != release { print $3 }'); do
  since=$(began "$pid" 2>/dev/null)
  if pauses "$pid" 2>/dev/null; then told="$told$pid $since
"; fi
done
[ -n "$told" ] || exit 0
# Whoever has them go on is there, and says so by the mark, before the first one pauses. A later pause has a mark of its own.
setsid sh -c 'told=$1 mark=$2 own=$3 seconds=$4 tries=0
  printf "%s\n%s" "$own" "$told" >"$mark~" && mv -f "$mark~" "$mark" || exit
  began() { sed "s/.*) //" "/proc/$1/stat" | cut -d " " -f 20; }
  still() { printf %s "$told" | while read -r pid since; do [ "$(began "$pid")" != "$since" ] || echo "$pid"; done; }
  is_own() { [ "$(head -n 1 "$mark")" = "$own" ]; }
  while is_own && [ -n "$(still)" ] && [ "$tries" -lt "$seconds" ]; do sleep 1 && tries=$((tries + 1)); done
  if is_own; then rm -f "$mark"; fi
  # Whom a later pause has told as well it has go on.
  later=" $(tr "\n" , <"$mark"),"
  for pid in $(still); do case $later in *",$pid "*) ;; *) kill -CONT "$pid" ;; esac; done' \
  resume "$told" "$mark" "$own" "$seconds" </dev/null >/dev/null 2>&1 &
until [ "$(head -n 1 "$mark" 2>/dev/null)" = "$own" ]; do
  waited=${waited:-}. && sleep 0.1
  if [ "${#waited}" = 30 ]; then echo "nobody pauses: $mark cannot be written" && exit 0; fi
done
printf '%s' "$told" | while read -r pid _; do if kill -USR2 "$pid" 2>/dev/null; then echo "paused $pid"; fi; done
# Who was just about to take a job has it now.
sleep 0.2
