# pods VERB ROOT GROUP SUDO SETTINGS [ARGUMENT…]
# Pods of the Deployment GROUP. Its template, and so each of its pods, says the release by the annotation `cutover/release`.
# shellcheck disable=SC2034,SC2016
verb=$1 root=$2 group=$3 sudo=$4 settings=$5
shift 5
if [ "$sudo" = yes ]; then as='sudo -n'; else as=; fi
value() { printf '%s\n' "$settings" | sed -n "s/^$1 //p"; }
kube() { $as kubectl --namespace "$(value namespace)" "$@"; }
deployment() { kube get deployment "$group" --output "go-template=$1"; }
container=$(value container)
# How those ended that a watch has seen.
seen=$root/.cutover/pods.$group
# Each container: pod, release, when it is killed once it was told to end, name, state, readiness, restarts, digest.
pod='{{$p := .}}{{range .status.containerStatuses}}{{$p.metadata.name}} {{with $p.metadata.annotations}}{{or (index . "cutover/release") "-"
  }}{{else}}-{{end}} {{or $p.metadata.deletionTimestamp "-"}} {{.name}} {{if .state.running}}running{{else}}{{with .state.terminated
  }}exit:{{.exitCode}}{{else}}{{with .state.waiting}}{{.reason}}{{else}}-{{end}}{{end}}{{end}} {{.ready}} {{.restartCount}} {{or .imageID "-"}}{{"\n"}}{{end}}'
selector() { deployment '{{range $key, $value := .spec.selector.matchLabels}},{{$key}}={{$value}}{{end}}' | cut -c 2-; }
rows() {
  labels=$(selector) || exit
  all=$(kube get pods --selector "${labels:?has no labels}" --output "go-template={{range .items}}$pod{{end}}") || exit
  printf '%s\n' "$all" | awk -v container="$container" '$4 == container'
}
list() {
  table=$(rows) || exit
  { cat "$seen" 2>/dev/null || true && printf '%s\n' "$table"; } | awk -v group="$group" '
    function say(pod, release, state, pid) { print group "@" release "-" substr(pod, length(group) + 2), state, pid, release, "-" }
    NF == 3 { of[$1] = $2; if ($3 != "-" && !($1 in end)) end[$1] = $3 }
    NF == 8 { there[$1] = 1; runs = $5 == "running"
      # One that ends may tell no digest any more.
      if (runs && $3 == "-" && !($2 in image)) image[$2] = $8
      state = runs && $6 == "true" ? "RUNNING" : "STARTING"
      if ($5 ~ /NeverPull|BackOff|Invalid|Config/) state = "FATAL:" $5
      # Pods of one release run one image, or some of them run something else than was tried.
      if (state == "RUNNING" && $8 != image[$2]) state = "IMAGE"
      if ($3 != "-") state = runs || !end[$1] ? "ENDING" : "LOST:" end[$1]
      # One whose end nobody has seen yet has not ended.
      say($1, $2, state, runs || ($1 in of && !($1 in end)) ? 1 : "-") }
    END { for (pod in of) if (!(pod in there) && end[pod] != "0") say(pod, of[pod], "LOST:" (pod in end ? end[pod] : "unseen"), "-") }'
}
