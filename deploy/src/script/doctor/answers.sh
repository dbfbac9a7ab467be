# doctor-answers ROOT TEXT
# Puts a script where the pool finds it, tells its path, and takes it away when nobody listens any more. Tells of every
# master of PHP-FPM how long it lets requests go on in a reload.
folder=$1
[ ! -d "$folder/.cutover" ] || folder=$folder/.cutover
file=$folder/.doctor-$$.php
trap 'rm -f "$file"' EXIT
trap 'exit 1' HUP INT PIPE TERM
umask 022
printf '%s' "$2" >"$file"
grep -als '^php-fpm: master process (' /proc/[0-9]*/cmdline | while read -r master; do
  conf=$(tr -d '\000' <"$master" 2>/dev/null) || continue
  conf=${conf#*\(} conf=${conf%%\)*} pid=${master#/proc/} pid=${pid%/cmdline}
  [ ! -r "$conf" ] || printf 'fpm %s %s\n' "$pid" "$(sed -n 's/^[[:space:]]*process_control_timeout[[:space:]]*=[[:space:]]*\([^ ;]*\).*/\1/p' "$conf" | tail -n 1)"
done
printf 'here %s\n' "$file"
cat >/dev/null
