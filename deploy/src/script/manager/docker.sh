# docker VERB ROOT GROUP SUDO SETTINGS [ARGUMENT…]
# Containers of plain Docker. This part makes them; what they have in common with others is in containers.sh, behind it.
# The `word` lines of SETTINGS are told to `docker create`: options, an image, a command.
# shellcheck disable=SC2034
verb=$1 root=$2 group=$3 sudo=$4 settings=$5
shift 5
mine() { docker ps --all --quiet --filter "label=cutover.group=$group" --filter "label=cutover.path=$root" "$@"; }
make() {
  release=$1 count=$2 number=0
  set -f
  IFS='
'
  # shellcheck disable=SC2046
  set -- $(value word)
  unset IFS
  while [ "$number" -lt "$count" ]; do
    number=$((number + 1))
    name=$group.$release-$number
    [ -z "$(mine --filter "name=^/$name\$")" ] || continue
    docker create --name "$name" --label "cutover.group=$group" --label "cutover.path=$root" \
      --label "cutover.release=$release" "$@" >/dev/null
  done
}
