# prune ROOT RELEASES   (RELEASES: an id a line)
# Removes releases, but none that a process still runs from, and says what it left and why. Of the output that is kept
# of deployments the newest 20 stay.
root=$(cd "$1" && pwd -P) releases=$2
used=$(
  for link in /proc/[0-9]*/cwd /proc/[0-9]*/exe /proc/[0-9]*/fd/*; do readlink "$link" || true; done 2>/dev/null |
    awk -v root="$root/releases/" 'index($0, root) == 1 {
      rest = substr($0, length(root) + 1); sub("/.*", "", rest); print rest }' | sort -u
)
live=$(readlink "$root/current" || true)
printf '%s\n' "$releases" | while IFS= read -r release; do
  [ -n "$release" ] || continue
  if [ "$live" = "releases/$release" ]; then
    echo "left $release: it is live"
  elif printf '%s\n' "$used" | grep -qxF "$release"; then
    echo "left $release: a process still runs from it"
  elif rm -rf "${root:?}/releases/$release"; then
    rm -f "$root/.cutover/releases/$release.json" "$root/.cutover/releases/$release.json.new"
    echo "removed $release"
  else
    echo "left $release: not everything in it could be removed"
  fi
done
# What was begun and never came has a record and no folder.
for record in "$root"/.cutover/releases/*.json; do
  release=${record##*/}
  [ ! -d "$root/releases/${release%.json}" ] || continue
  if grep -q '"state":"staging"' "$record" 2>/dev/null; then rm -f "$record"; fi
done
# shellcheck disable=SC2012
ls -1t "$root/.cutover/steps" 2>/dev/null | tail -n +21 | while IFS= read -r old; do
  rm -rf "${root:?}/.cutover/steps/${old:?}"
done
