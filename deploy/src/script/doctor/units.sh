# doctor-units SCOPE GROUP   (SCOPE: system or user)
# Tells how systemd ends and restarts the units of a group. Changes nothing.
scope=$1 group=$2
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"
keys=Id,LoadState,Restart,KillMode,KillSignal,TimeoutStopUSec
systemctl "--$scope" show --property="$keys" "$group.service" "$group@*.service" | sed "s/^/unit $group /"
