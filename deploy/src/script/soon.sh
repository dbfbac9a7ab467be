# soon SECONDS SCRIPT NAME [ARGUMENT…]
# Runs a script that a way back is better off with and must not wait for: a manager that does not answer may be why it is gone.
seconds=$1 script=$2 name=$3
shift 3
# It has a process group of its own, all of which ends with it: not every timeout sees to that.
setsid timeout -k 5 "$seconds" sh -euc "$script" "$name" "$@" &
wait "$!" || { kill -KILL "-$!" 2>/dev/null || true; echo "not done within $seconds s, and not waited for"; }
