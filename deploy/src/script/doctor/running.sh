# What comes behind containers.sh and form.sh: how each container of a group that runs was started, and how it is stopped.
# Changes nothing.
# shellcheck disable=SC2154
root=$(cd "$root" && pwd -P)
ids=$(mine --filter status=running) || exit
for id in $ids; do
  command=$(docker inspect --format '{{printf "%q" .Path}}{{range .Args}} {{printf "%q" .}}{{end}}' "$id") || continue
  said=$(docker inspect --format '{{.State.Pid}} {{slice .Name 1}} {{if .Config.StopTimeout}}{{.Config.StopTimeout}}{{else}}10{{end
    }} {{or .Config.StopSignal "SIGTERM"}}' "$id") || continue
  words=$(docker inspect --format '{{.Path}}{{range .Args}}{{"\x1f"}}{{.}}{{end}}' "$id" | tr '\n' ' ') || continue
  first=${said%% *} form=hears
  if would_lose "$command" 0 0 '' 2>/dev/null || { is_shell "$first" && is_old "$first"; } 2>/dev/null; then
    form=shell
  elif [ ! -r "/proc/$first/status" ]; then
    form=words
  elif ! hears "$first" 2>/dev/null; then
    # PHP that has just begun may not have come to it yet.
    if is_old "$first"; then form=deaf; else form=young; fi
  fi
  printf 'container %s %s %s %s\n' "$group" "${said#* }" "$form" "$words"
done
