# mark ROOT RELEASE RECORD JOURNAL
# Keeps where a release stands as far as that is possible: on the way back no record may stand in the way.
root=$1 release=$2 record=$3 journal=$4
file=$root/.cutover/releases/$release.json
if ! { printf '%s\n' "$record" >"$file.new" && sync "$file.new" && mv "$file.new" "$file"; }; then
  rm -f "$file.new"
  echo "the record of $release could not be written"
fi
printf '%s\n' "$journal" >>"$root/.cutover/log.jsonl" || echo "the journal could not be written"
