# line ROOT RELEASE ENVIRONMENT COMMIT DEPLOYMENT HOST LINE SCRIPT
# Runs a line of which nothing depends, and says so where it fails. SCRIPT is line.sh.
sh -euc "$8" line "$1" "$2" "$3" "$4" "$5" "$6" "$7" || echo "it ended with exit $?, which does no harm"
