# doctor-units SCOPE GROUP…   (SCOPE: system or user)
# Tells how systemd ends and restarts the units of groups. Changes nothing.
scope=$1
shift
# Where systemd does not run there is nothing to ask.
[ -d /run/systemd/system ] || exit 0
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"
keys=Id,LoadState,MainPID,Restart,KillMode,KillSignal,TimeoutStopUSec
for group; do
  shown=$(systemctl "--$scope" show --property="$keys" "$group.service" "$group@*.service") || exit
  printf '%s\n' "$shown" | sed "s/^/unit $group /"
done
