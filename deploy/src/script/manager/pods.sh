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
# Each container: pod, release, when it is killed once it was told to end (`over` where its node put it out), name, state, readiness,
# restarts, digest.
pod='{{$p := .}}{{range .status.containerStatuses}}{{$p.metadata.name}} {{with $p.metadata.annotations}}{{or (index . "cutover/release") "-"
  }}{{else}}-{{end}} {{with $p.metadata.deletionTimestamp}}{{.}}{{else
  }}{{if eq (or $p.status.phase "-") "Failed" "Succeeded"}}over{{else}}-{{end}}{{end}} {{.name}} {{if .state.running}}running{{else}}{{with .state.terminated
  }}exit:{{.exitCode}}{{else}}{{with .state.waiting}}{{.reason}}{{else}}-{{end}}{{end}}{{end}} {{.ready}} {{.restartCount}} {{or .imageID "-"}}{{"\n"}}{{end}}'
selector() {
  pairs=$(deployment '{{range $key, $value := .spec.selector.matchLabels}},{{$key}}={{$value}}{{end}}') && printf '%s\n' "${pairs#,}"
}
rows() {
  labels=$(selector) || exit
  all=$(kube get pods --selector "${labels:?has no labels}" --output "go-template={{range .items}}$pod{{end}}") || exit
  printf '%s\n' "$all" | awk -v container="$container" '$4 == container'
}
