# bounded SECONDS SCRIPT NAME ARGUMENT…
# Runs a script, and ends it when it takes too long.
seconds=$1 script=$2
shift 2
exec timeout -k 5 "$seconds" sh -euc "$script" "$@"
