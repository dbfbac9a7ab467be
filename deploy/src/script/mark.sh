# mark ROOT RELEASE RECORD JOURNAL
# Keeps where a release stands, and adds a line to the journal of the host.
root=$1 release=$2 record=$3 journal=$4
file=$root/.cutover/releases/$release.json
printf '%s\n' "$record" >"$file.new"
sync "$file.new"
mv "$file.new" "$file"
sync "$root/.cutover/releases"
printf '%s\n' "$journal" >>"$root/.cutover/log.jsonl"
