# compose VERB ROOT GROUP SUDO SETTINGS [ARGUMENT…]
# Containers of a service of Compose, GROUP, by the user's own file. This part makes them; what they have in common with
# others is in containers.sh, behind it. Compose makes new ones beside those that are there and touches none.
# shellcheck disable=SC2034,SC2154,SC2086
verb=$1 root=$2 group=$3 sudo=$4 settings=$5
shift 5
mine() {
  docker ps --all --quiet --filter "label=com.docker.compose.project=$(value project)" \
    --filter "label=com.docker.compose.service=$group" --filter label=com.docker.compose.oneoff=False "$@"
}
make() {
  release=$1 count=$2
  folder=$root/releases/$release
  file=$(value file)
  case $file in /*) ;; *) file=$folder/$file ;; esac
  table=$(rows)
  there=$(printf '%s\n' "$table" | awk -v release="$release" '$7 == release && $2 !~ /^\/ending/' | wc -l)
  if [ "$there" -ge "$count" ]; then return; fi
  all=$(printf '%s\n' "$table" | grep -c . || true)
  set -- docker-compose
  if docker compose version >/dev/null 2>&1; then set -- docker compose; fi
  set -- "$@" --project-name "$(value project)" --file "$file"
  said=$($as env CUTOVER_RELEASE="$release" CUTOVER_COMMIT="$(value commit)" CUTOVER_RELEASE_PATH="$folder" CUTOVER_PATH="$root" \
    "$@" up --no-start --no-deps --no-recreate --scale "$group=$((all + count - there))" "$group" 2>&1) || {
    printf '%s\n' "$said" >&2
    return 70
  }
}
