# doctor-processes ROOT
# Tells of the processes that run an app's `artisan`, and what a supervisor that started one is configured with.
root=$(cd "$1" && pwd -P) us=$(printf '\037') me=$(id -u) supervisors=' '
status() { sed -n "s/^$1:[[:space:]]*\([0-9]*\).*/\1/p" "/proc/$2/status"; }
# Only lines that decide how a worker ends, and its command; `environment` may hold secrets.
settings() {
  awk '/^\[/ { on = 0; print "ini " $0 }
    /^[^[:space:][]/ { on = ($0 ~ /^(command|programs|stop[a-z]*|killasgroup|autorestart)[[:space:]]*=/) }; on { print "ini " $0 }' "$1"
}
supervisor() {
  words=$(tr '\000' ' ' <"/proc/$1/cmdline")
  case $words in *supervisord*) ;; *) return 0 ;; esac
  conf=$(printf '%s' "$words" | sed -n 's/.* \(-c\|--configuration\)[ =]*\([^ ]*\).*/\2/p')
  for conf in "$conf" /etc/supervisord.conf /etc/supervisor/supervisord.conf; do [ ! -r "$conf" ] || break; done
  { [ -r "$conf" ] && printf 'supervisor %s %s\n' "$1" "$conf" && settings "$conf"; } || return 0
  files=$(sed -n '/^\[include\]/,/^\[[^i]/s/^files[[:space:]]*=//p' "$conf" | sed "s|%(here)s|${conf%/*}|g")
  # shellcheck disable=SC2086
  (cd "${conf%/*}" && for file in $files; do [ ! -r "$file" ] || settings "$file"; done)
}
elsewhere() { # Whether words name an artisan whose folder is known to be none of the app's.
  named=$us${1%%/artisan"$us"*} named=${named##*"$us"}
  case $(cd "/${named#/}" 2>/dev/null && pwd -P)/:$named in "$root"/*:* | /:* | *:[!/]* | *:) return 1 ;; esac
}
grep -als artisan /proc/[0-9]*/cmdline | while read -r file; do
  pid=${file#/proc/} pid=${pid%/cmdline} words=$(tr '\000\n' '\037 ' <"$file" 2>/dev/null) || continue
  # A word of its own, as in php artisan queue:work; elsewhere it is somebody who speaks of it.
  case "$us$words" in *[/"$us"]artisan"$us"*) ;; *) continue ;; esac
  open=$(for fd in /proc/"$pid"/fd/*; do readlink "$fd" || true; done 2>/dev/null | sed -n "s|^$root/releases/\([^/]*\)/.*|\1|p" | head -n 1)
  cwd=$(readlink "/proc/$pid/cwd" 2>/dev/null || true)
  case "$open:$cwd/:$us$words" in
    [!:]* | :"$root"/*:* | *"$us$root/"* | *"$us$1/"*) kind=process ;;
    # Of our own what cannot be seen has just ended, and root sees all.
    :/:*) if [ "$me" = 0 ] || [ "$(status Uid "$pid" 2>/dev/null)" = "$me" ] || elsewhere "$words"; then continue; fi; kind=hidden ;;
    *) continue ;;
  esac
  program=$(readlink "/proc/$pid/exe" 2>/dev/null || echo -) parent=$(status PPid "$pid" 2>/dev/null) || continue
  printf '%s %s %s %s %s %s %s\n' "$kind" "$pid" "$parent" "$(status Uid "$pid")" "$program" "${open:--}" "$words"
  if grep -q '^NSpid:.*[0-9][[:space:]]*[[:space:]][0-9]' "/proc/$pid/status" 2>/dev/null; then echo "boxed $pid"; fi
  case $kind$supervisors in hidden* | *" $parent "*) ;; *) supervisors="$supervisors$parent " && supervisor "$parent" ;; esac
done
