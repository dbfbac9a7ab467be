# What comes behind pods.sh and form.sh: what the Deployment's own template says.
# shellcheck disable=SC2154,SC2016
# The command of its container, in quotes; nothing where only the image says it.
started_by() {
  deployment '{{range .spec.template.spec.containers}}{{.name}}{{range .command}} {{printf "%q" .}}{{end}}{{range .args
    }} {{printf "%q" .}}{{end}}{{"\n"}}{{end}}' | sed -n "s/^$container //p"
}
# How many seconds a pod may take to end.
patience() { deployment '{{.spec.template.spec.terminationGracePeriodSeconds}}'; }
# Whether a job would be lost when a pod ends.
refuse() {
  command=$(started_by)
  seconds=$(patience)
  if [ -z "$command" ]; then
    echo "no container $container says its command there; write: command: [\"php\", \"artisan\", \"queue:work\"]" >&2
    return 0
  fi
  would_lose "$command" "$seconds" "$(value grace)" "terminationGracePeriodSeconds: $(value grace)"
}
# The release that its pods are made for now.
now() { deployment '{{with .spec.template.metadata.annotations}}{{or (index . "cutover/release") "-"}}{{else}}-{{end}}'; }
