# proof ROOT RELEASE GROUP ROSTER
# Tells which workers are proven to run a release and which only finish a job, and keeps that in the journal of the host.
root=$1 release=$2 group=$3 table=$4
printf '%s\n' "$table" | awk -v release="$release" '
  $4 == release && $2 == "RUNNING" { print "proven", $1, $3, $4, $5; next }
  NF && $3 != "-" { print "drains", $1, $3, $4, $5 }'
workers=$(printf '%s\n' "$table" | awk 'NF && $3 != "-" {
  gsub(/[^A-Za-z0-9._:@ \/-]/, "?")
  printf "%s{\"name\":\"%s\",\"state\":\"%s\",\"pid\":\"%s\",\"release\":\"%s\",\"since\":\"%s\"}", comma, $1, $2, $3, $4, $5; comma = ","
}')
printf '{"at":"%s","did":"workers","release":"%s","group":"%s","workers":[%s]}\n' \
  "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$release" "$group" "$workers" >>"$root/.cutover/log.jsonl" || echo "the journal cannot be written"
# Nothing of this hand-over is left to take back, and nobody is to pause any longer.
rm -f "$root/.cutover/hand-over.$group" "$root/.cutover/paused.$group"
