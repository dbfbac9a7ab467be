# migrate ROOT RELEASE ENVIRONMENT COMMIT DEPLOYMENT HOST LINE SCRIPT
# Runs a line that changes the database, and keeps the names of the migrations that it tells to be done. SCRIPT is line.sh.
kept=$1/.cutover/releases/$2.migrated
# Who is ended because it takes too long still writes down what is done.
trap : TERM
rm -f "$kept.status"
{
  status=0
  sh -euc "$8" line "$1" "$2" "$3" "$4" "$5" "$6" "$7" 2>&1 || status=$?
  printf '%s\n' "$status" >"$kept.status"
} | (trap '' TERM && exec tee "$kept.new") || true
# Laravel 8 says `Migrated:  NAME (12.34ms)`, later ones `NAME ..... 12.34ms DONE`.
sed -n -e 's/^Migrated: *\([0-9A-Za-z_]*\).*/\1/p' -e 's/^ *\([0-9]\{4\}_[0-9A-Za-z_]*\) .*DONE *$/\1/p' "$kept.new" >>"$kept"
[ -s "$kept" ] || rm -f "$kept"
status=143
if [ -s "$kept.status" ]; then read -r status <"$kept.status"; fi
rm -f "$kept.new" "$kept.status"
exit "$status"
