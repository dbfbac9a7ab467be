# What comes behind containers.sh and made.sh: the verbs of the recipe.
# shellcheck disable=SC2154,SC2086
end() {
  for id; do
    # So it does not come back with the machine either.
    docker update --restart no "$id" >/dev/null 2>&1 || true
    docker rename "$id" "ending.$id" 2>/dev/null || true
  done
  # shellcheck disable=SC2016
  [ "$#" = 0 ] || setsid sh -c 'as=$1 grace=$2 && shift 2
    end() { $as docker stop -t "$grace" "$1" && [ "$($as docker inspect --format "{{.State.ExitCode}}" "$1")" = 0 ] && $as docker rm "$1"; }
    for id; do end "$id" & done && wait' end "$as" "$(value grace)" "$@" </dev/null >/dev/null 2>&1 &
}
# Those that go, and run something or do not, by one look. Who was told to end and may not have heard it is told again.
chosen() {
  printf '%s\n' "$table" | awk -v verb="$verb" -v release="$1" -v runs="$2" '{ told = $2 ~ /^\/ending/ }
    NF && (told || ($7 == release) == (verb == "drop")) && (told || $3 == "running") == runs { print $1 }'
}
case $verb in keep | drop | add) table=$(rows) ;; esac
case $verb in
  list) list ;;
  kill) docker kill "${1##*-}" >/dev/null ;;
  keep | drop)
    idle=$(chosen "$1" 0); busy=$(chosen "$1" 1)
    [ -z "$idle" ] || docker rm --force $idle >/dev/null
    end $busy ;;
  add)
    printf '%s\n' "$table" | while read -r id name state _ code _ release; do
      case $name:$state in /ending.*:exited) ;; *) continue ;; esac
      [ "$code" = 0 ] || echo "lost: a worker of $release ended with exit $code after the deployment that ended it, in a job most likely"
      docker rm "$id" >/dev/null 2>&1 || true
    done
    make "$@"
    table=$(rows)
    made=$(printf '%s\n' "$table" | awk -v release="$1" '$3 == "created" && ($7 == release || $7 == "-") { print $1 }')
    for id in $made; do
      if refuse "$id" "$1"; then docker rm $made >/dev/null || true; exit 70; fi
    done
    [ -z "$made" ] || docker start $made >/dev/null ;;
esac
