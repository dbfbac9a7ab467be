# reload SERVICE SUDO SECONDS   (SUDO: yes or no)
# Has a web server take up its configuration and what it keeps of files anew, without ending a request, and proves it by the
# kernel's word: one of its processes began after this did. A server that finds its configuration wrong starts none.
service=$1 sudo=$2 seconds=$3
master() { systemctl show --property=MainPID --value "$service"; }
# By the clock of those numbers; in a container that of /proc/uptime may be another one.
began=$(awk '{ sub(/.*\) /, ""); print $20 }' /proc/self/stat)
if [ "$sudo" = yes ]; then sudo -n systemctl reload "$service"; else systemctl reload "$service"; fi
deadline=$(($(date +%s) + seconds))
while :; do
  pid=$(master)
  young=$(cat /proc/[0-9]*/stat 2>/dev/null | awk -v master="$pid" -v began="$began" '{
    pid = $1; sub(/.*\) /, ""); if ($2 == master && $20 >= began) { print pid; exit } }')
  if [ -n "$young" ]; then break; fi
  if [ "$(date +%s)" -ge "$deadline" ]; then
    echo "after $seconds s $service (pid ${pid:-0}) has started no process since it was told to reload; journalctl -u $service says why" >&2
    exit 70
  fi
  sleep 0.1
done
echo "reloaded $service: process $young of $pid began after the swap"
