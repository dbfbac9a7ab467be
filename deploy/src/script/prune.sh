# prune ROOT RELEASES   (RELEASES: an id a line)
# Removes releases, but none that a process still runs from, and says what it left and why. They are moved aside first:
# half a release can be returned to by nobody, and what cannot be removed is tried again the next time. Of the output
# that is kept of deployments the newest 20 stay. What was begun and never came has a record and no folder; that goes too.
root=$(cd "$1" && pwd -P) releases=$2
# Release and pid, a line each, by all that the kernel lets this user see. Who sees not even himself sees nothing: `*`.
used=$(
  {
    ls -l /proc/[0-9]*/cwd /proc/[0-9]*/exe /proc/[0-9]*/root /proc/[0-9]*/fd || true
    grep -sF -e "$root/releases/" -e '[stack]' /proc/[0-9]*/maps || true
  } 2>/dev/null | awk -v root="$root/releases/" '
    /\[stack\]$/ { maps = 1 }
    / -> / { links = 1 }
    match($0, /(^| )\/proc\/[0-9]+\/(cwd|exe|root|fd:|maps:)/) { split(substr($0, RSTART), part, "/"); pid = part[3] }
    at = index($0, root) { rest = substr($0, at + length(root)); sub("[/ ].*", "", rest); print rest, pid }
    END { if (!maps || !links) print "*", "-" }' | sort -u
)
live=$(cd "$root/current" 2>/dev/null && pwd -P) || live=
printf '%s\n' "$releases" | while IFS= read -r release; do
  [ -n "$release" ] || continue
  pid=$(printf '%s\n' "$used" | awk -v release="$release" '$1 == release || $1 == "*" { print $2; exit }')
  if [ "$live" = "$root/releases/$release" ]; then
    echo "left $release: it is live"
  elif [ -n "$pid" ]; then
    echo "left $release: a process still runs from it: $pid $(cat "/proc/$pid/comm" 2>/dev/null || true)"
  elif mv -T "$root/releases/$release" "$root/releases/.gone.$release"; then
    for end in json json.new migrated; do rm -f "$root/.cutover/releases/$release.$end"; done
    echo "removed $release"
  else
    echo "left $release: it could not be moved aside"
  fi
done
for record in "$root"/.cutover/releases/*.json; do
  [ -d "$root/releases/$(basename "$record" .json)" ] || ! grep -qs '"state":"staging"' "$record" || rm -f "$record"
done
for gone in "$root"/releases/.gone.*; do
  said=$(rm -rf "$gone" 2>&1) || printf 'left %s: %s\n' "$gone" "$(printf '%s\n' "$said" | head -n 1)"
done
# shellcheck disable=SC2012
ls -1t "$root/.cutover/steps" 2>/dev/null | tail -n +21 | while IFS= read -r old; do rm -rf "${root:?}/.cutover/steps/${old:?}"; done
