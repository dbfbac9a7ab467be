# doctor-owners ROOT
# Tells of processes that run an app's `artisan`: whether each that takes jobs handles TERM, by the kernel's word, and how
# systemd ends and restarts the unit that it is in. Changes nothing.
root=$(cd "$1" && pwd -P) me=$(id -u) shown=' ' tries=0 us=$(printf '\037')
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$me}"
keys=Id,LoadState,MainPID,Restart,KillMode,KillSignal,TimeoutStopUSec
handles() { # PHP itself catches TERM and dies of it; CONT is caught by Laravel alone, which says both in one breath.
  caught=$(sed -n 's/^SigCgt:.*\(........\)$/\1/p' "/proc/$1/status" 2>/dev/null || true)
  if [ -z "$caught" ]; then return 0; fi
  if [ "$((0x$caught & 0x24000))" != "$((0x24000))" ]; then echo no; else echo yes; fi
}
is_young() { # It may not have come to that yet. The kernel counts from its start in hundredths of a second.
  began=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20)
  [ "$(($(cut -d . -f 1 /proc/uptime) - ${began:-0} / 100))" -lt 5 ]
}
unit() { # The unit that has a process in its own folder, and whose systemd that is
  [ -d /run/systemd/system ] || return 0
  path=$(sed -n 's/^[0-9]*:\(name=systemd\)\{0,1\}:\(.*\.service\)$/\2/p' "/proc/$1/cgroup" 2>/dev/null | head -n 1)
  unit=${path##*/} scope=system
  case $path in */user@"$me".service/*) scope=user ;; '' | */user@*.service/*) return 0 ;; esac
  above=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null || true)
  printf 'owner %s %s %s\n' "$1" "$unit" "$(cat "/proc/$above/comm" 2>/dev/null || true)"
  case $shown in *" $unit "*) return 0 ;; esac
  shown="$shown$unit "
  systemctl "--$scope" show --property="$keys" -- "$unit" 2>/dev/null | while IFS= read -r line; do
    printf 'unit %s %s\n' "$unit" "$line"
  done || true
}
grep -als artisan /proc/[0-9]*/cmdline | while read -r file; do
  pid=${file#/proc/} pid=${pid%/cmdline} words=$us$({ tr '\000\n' '\037 ' <"$file"; } 2>/dev/null) || continue
  case "$(readlink "/proc/$pid/cwd" 2>/dev/null || true)/$words" in
    "$root"/*[/"$us"]artisan"$us"* | *"$us$root/"*artisan"$us"* | *"$us$1/"*artisan"$us"*) ;; *) continue ;;
  esac
  case $words in *"$us"queue:work"$us"* | *"$us"horizon"$us"* | *"$us"horizon:work"$us"*)
    while said=$(handles "$pid") && [ "$said" = no ] && is_young "$pid" && said='' && [ "$tries" -lt 50 ]; do tries=$((tries + 1)) && sleep 0.1; done
    [ -z "$said" ] || printf 'handles %s %s\n' "$pid" "$said" ;;
  esac
  unit "$pid"
done
