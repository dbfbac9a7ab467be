# What comes behind pods.sh and watch.sh: its pods as all recipes list what they have.
# shellcheck disable=SC2154
tell() {
  { cat "$seen" 2>/dev/null || true && printf '%s\n' "$table"; } | awk -v group="$group" '
    function say(pod, release, state, pid, anew) { print group "@" release "-" substr(pod, length(group) + 2), state, pid, release, "-", anew }
    $1 == "by" { begun = 1 }
    NF == 3 && begun { of[$1] = $2; if ($3 != "-" && !($1 in end)) end[$1] = $3 }
    NF == 8 { there[$1] = 1; runs = $5 == "running"
      # One that ends may tell no digest any more.
      if (runs && $3 == "-" && !($2 in image)) image[$2] = $8
      state = runs && $6 == "true" ? "RUNNING" : "STARTING"
      if ($5 ~ /NeverPull|BackOff|Invalid|Config/) state = "FATAL:" $5
      # Pods of one release run one image, or some of them run something else than was tried.
      if (state == "RUNNING" && $8 != image[$2]) state = "IMAGE"
      ended = $1 in end
      if ($3 != "-") state = runs || !ended || end[$1] == "0" ? "ENDING" : "LOST:" end[$1]
      # One whose end nobody has seen yet has not ended.
      say($1, $2, state, runs || ($1 in of && !ended) ? 1 : "-", $7) }
    END { for (pod in of) if (!(pod in there)) { how = pod in end ? end[pod] : "unseen"; if (how != "0") say(pod, of[pod], "LOST:" how, "-", "") } }'
}
list() {
  table=$(rows) || exit
  told=$(tell)
  # Who watches may hear of an end a little later than who asks.
  case $told in *LOST:unseen*) sleep 2 && told=$(tell) ;; esac
  [ -z "$told" ] || printf '%s\n' "$told"
}
