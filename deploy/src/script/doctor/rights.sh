# doctor-rights [COMMAND…]
# Tells which commands sudo allows without a password, and runs none of them. The words of a command have no blanks.
set -f
for command; do
  # shellcheck disable=SC2086
  if sudo -n -l $command >/dev/null 2>&1; then word=allowed; else word=denied; fi
  printf '%s %s\n' "$word" "$command"
done
