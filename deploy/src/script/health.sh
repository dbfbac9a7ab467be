# health NONCE URL SECONDS HOST
# Asks the app how it is, once for every line on stdin, and hands head and body of the answer back between marks.
nonce=$1 url=$2 seconds=$3 host=$4
mark=$(printf '\036')
set -- --globoff --silent --show-error --include --max-time "$seconds" --proto '=http,https' --noproxy '*' --header 'Connection: close'
if [ -n "$host" ]; then set -- "$@" --header "Host: $host"; fi
while read -r _; do
  status=0
  curl "$@" --write-out "\n$mark$nonce code %{http_code}\n" --url "$url" 2>&1 || status=$?
  printf '\n%s%s done %s\n' "$mark" "$nonce" "$status"
done
