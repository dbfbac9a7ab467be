# What comes behind pods.sh and form.sh: what the Deployment's own template says.
# shellcheck disable=SC2154,SC2016
# The command of its container, in quotes; nothing where only the image says it.
started_by() {
  deployment '{{range .spec.template.spec.containers}}{{.name}}{{range .command}} {{printf "%q" .}}{{end}}{{range .args
    }} {{printf "%q" .}}{{end}}{{"\n"}}{{end}}' | sed -n "s/^$container //p"
}
# How many seconds a pod may take to end.
patience() { deployment '{{.spec.template.spec.terminationGracePeriodSeconds}}'; }
# How many of them a preStop hook takes before PHP hears TERM: those of its `sleep`, or `?` where nobody can tell.
before_term() {
  hook=$(deployment '{{range .spec.template.spec.containers}}{{.name}}{{with .lifecycle}}{{with .preStop}} hook{{with .sleep}} sleep {{.seconds}}{{end
    }}{{with .exec}}{{range .command}} {{printf "%q" .}}{{end}}{{end}}{{end}}{{end}}{{"\n"}}{{end}}' | sed -n "s/^$container //p")
  took=$(printf '%s\n' "$hook" | sed -nE 's/.*[ "\/]sleep"? "?([0-9]+)s?(["; &].*)?$/\1/p')
  if [ -z "$hook" ]; then echo 0; else echo "${took:-?}"; fi
}
# Whether a job would be lost when a pod ends, or new pods would run old code.
refuse() {
  command=$(started_by)
  seconds=$(patience)
  spent=$(before_term)
  spent=${spent#"?"}
  if [ -z "$command" ]; then
    echo "no container $container says its command there; write: command: [\"php\", \"artisan\", \"queue:work\"]" >&2
    return 0
  fi
  if ! value patch | grep -q '"image"' && deployment '{{.spec.template.spec}}' | grep -qF "$root/current"; then
    echo "its pods go by $root/current, and start before it leads to their release" >&2
    echo "write: $root/releases/\$(CUTOVER_RELEASE), with that variable as in templates/kubernetes.yaml" >&2
    return 0
  fi
  would_lose "$command" "$((seconds - ${spent:-0}))" "$(value grace)" "terminationGracePeriodSeconds: $(($(value grace) + ${spent:-0}))"
}
# The release that its pods are made for now.
now() { deployment '{{with .spec.template.metadata.annotations}}{{or (index . "cutover/release") "-"}}{{else}}-{{end}}'; }
