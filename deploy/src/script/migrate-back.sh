# migrate-back ROOT RELEASE ENVIRONMENT COMMIT DEPLOYMENT HOST LINE SCRIPT
# Runs a line that rolls back what a release has migrated, and tells what stays all the same. SCRIPT is line.sh.
kept=$1/.cutover/releases/$2.migrated
if [ ! -s "$kept" ]; then
  echo "$2 has told of no migration here, so none is rolled back"
  exit 0
fi
CUTOVER_MIGRATIONS=$(sort -r "$kept" | tr '\n' ' ')
export CUTOVER_MIGRATIONS
trap : TERM
rm -f "$kept.status"
{
  status=0
  sh -euc "$8" line "$1" "$2" "$3" "$4" "$5" "$6" "$7" 2>&1 || status=$?
  printf '%s\n' "$status" >"$kept.status"
} | (trap '' TERM && exec tee "$kept.out") || true
sed -n -e 's/^Rolled back: *\([0-9A-Za-z_]*\).*/\1/p' -e 's/^ *\([0-9]\{4\}_[0-9A-Za-z_]*\) .*DONE *$/\1/p' "$kept.out" >"$kept.gone"
# Not every grep takes an empty file for no words.
if [ -s "$kept.gone" ]; then grep -vxF -f "$kept.gone" "$kept" || true; else cat "$kept"; fi >"$kept.new"
mv "$kept.new" "$kept"
status=143
if [ -s "$kept.status" ]; then read -r status <"$kept.status"; fi
rm -f "$kept.out" "$kept.gone" "$kept.status"
if [ ! -s "$kept" ]; then
  rm -f "$kept"
else
  echo "not rolled back: $(tr '\n' ' ' <"$kept")" >&2
  [ "$status" != 0 ] || status=70
fi
exit "$status"
