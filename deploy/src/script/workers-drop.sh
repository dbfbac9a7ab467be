# workers-drop ROOT RELEASE RECIPE MANAGER GROUP SUDO SETTINGS
# Takes back workers that were started for a release which does not become live.
root=$1 release=$2 recipe=$3 manager=$4
shift 4
sh -euc "$recipe" "$manager" drop "$root" "$1" "$2" "$3" "$release" || echo "it ended with exit $?; the next deployment tries again"
