# doctor-units SCOPE GROUP…   (SCOPE: system or user)
# Tells how systemd ends and restarts the units of groups. Changes nothing.
scope=$1
shift
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"
keys=Id,LoadState,MainPID,Restart,KillMode,KillSignal,TimeoutStopUSec
for group; do
  systemctl "--$scope" show --property="$keys" "$group.service" "$group@*.service" | sed "s/^/unit $group /"
done
