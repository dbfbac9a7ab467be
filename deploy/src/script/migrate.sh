# migrate ROOT RELEASE ENVIRONMENT COMMIT DEPLOYMENT HOST LINE SCRIPT
# Runs a line that changes the database, and keeps the names of the migrations that it tells to be done. SCRIPT is line.sh.
kept=$1/.cutover/releases/$2.migrated
# Who is ended because it takes too long is still heard out.
trap : TERM
rm -f "$kept.status"
{
  status=0
  sh -euc "$8" line "$1" "$2" "$3" "$4" "$5" "$6" "$7" 2>&1 || status=$?
  printf '%s\n' "$status" >"$kept.status"
} | (
  trap '' TERM
  # A name is kept as soon as it is told: not everybody who takes too long is given the time to come to an end.
  while IFS= read -r line || [ -n "$line" ]; do
    printf '%s\n' "$line"
    case $line in
      # Laravel 8 says "Migrated:  NAME (12.34ms)", later ones "NAME ..... 12.34ms DONE".
      Migrated:* | *DONE*) printf '%s\n' "$line" |
        sed -n -e 's/^Migrated: *\([0-9A-Za-z_]*\).*/\1/p' -e 's/^ *\([0-9]\{4\}_[0-9A-Za-z_]*\) .*DONE *$/\1/p' >>"$kept" ;;
    esac
  done
) || true
[ -s "$kept" ] || rm -f "$kept"
status=143
if [ -s "$kept.status" ]; then read -r status <"$kept.status"; fi
rm -f "$kept.status"
exit "$status"
