# doctor-cron ROOT
# Tells which lines of cron run the scheduler of an app, as far as they may be read. Changes nothing.
root=$1
own() { grep -v '^[[:space:]]*#' | grep 'schedule:\(run\|work\)' | grep -F "$root/"; }
if command -v crontab >/dev/null; then
  user=$(id -un)
  crontab -l 2>/dev/null | own | sed "s/^/cron crontab $user /" || true
fi
# In the system's files a name stands before the command: the sixth word, or the second after an `@`.
for file in /etc/crontab /etc/cron.d/*; do
  if [ ! -r "$file" ] || [ ! -f "$file" ]; then continue; fi
  own <"$file" | while IFS= read -r line; do
    user=$(printf '%s\n' "$line" | awk '{ print ($1 ~ /^@/) ? $2 : $6 }')
    printf 'cron %s %s %s\n' "$file" "$user" "$line"
  done || true
done
