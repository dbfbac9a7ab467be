# What comes behind containers.sh and form.sh: what is wrong with containers that were made and not started yet.
# shellcheck disable=SC2154
# refuse ID RELEASE: whether a container that was made and not started yet would lose a job, or has nothing of the release.
refuse() {
  said=$(docker inspect --format '{{if .Config.StopTimeout}}{{.Config.StopTimeout}}{{else}}10{{end}} {{.Config.Image}}{{
    range .Mounts}} {{.Source}}{{end}} {{index .Config.Labels "cutover.release"}} end' "$1")
  command=$(docker inspect --format '{{printf "%q" .Path}}{{range .Args}} {{printf "%q" .}}{{end}}' "$1")
  # shellcheck disable=SC2016
  case "$said" in *" $2 end") ;; *)
    echo 'its container does not say its release; write: labels: { cutover.release: "${CUTOVER_RELEASE}" }' >&2 && return ;;
  esac
  commit=$(value commit)
  # shellcheck disable=SC2016
  case "${said% "$2" end}" in *"${commit:-$2}"* | *"$2"* | *"@sha256:"*) ;; *)
    echo 'nothing in it is of the release; write: image: "…:${CUTOVER_COMMIT}", or mount ${CUTOVER_RELEASE_PATH}' >&2 && return ;;
  esac
  would_lose "$command" "${said%% *}" "$(value grace)" "stop_grace_period: $(value grace)s"
}
