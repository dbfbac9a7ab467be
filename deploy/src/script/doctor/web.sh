# doctor-web ROOT BASE HOST   (HOST: the header; may be empty)
# Asks the web server of a host for what it must never hand out, and for a file that it must. Changes nothing.
root=$1 base=$2 host=$3
set -- --globoff --silent --show-error --max-time 10 --proto '=http,https' --noproxy '*'
if [ -n "$host" ]; then set -- "$@" --header "Host: $host"; fi
if ! command -v curl >/dev/null; then echo 'curl is not installed' >&2 && exit 69; fi
live=$(cd "$root/current" 2>/dev/null && pwd -P) || { echo 'nothing is live yet' >&2 && exit 69; }
secret() {
  # What matters is what comes: an app may answer anything with a page of its own. The last line is the status.
  { curl "$@" --write-out '\n%{http_code}\n' --url "$base/$path" || echo "error $? of curl"; } | tr -d '\000' |
    LC_ALL=C awk -v like="$like" -v path="$path" 'size < 4000 && $0 ~ like { hit = 1 }
      { size += length($0) + 1; code = $0 }
      END { if (hit) print "served " path
        else if (code ~ /^[245][0-9][0-9]$/) print "unserved " path
        else print "unasked " path " the answer is " code }'
}
curl "$@" --output /dev/null --url "$base/" || exit 69
path=.env like='^[A-Z][A-Z0-9_]*=' && secret "$@"
path=.git/HEAD like='^ref: ' && secret "$@"
file=$(find "$live/public" -maxdepth 2 -type f ! -name '*.php' ! -name '.*' -print 2>/dev/null | grep -v '[^A-Za-z0-9._/-]' | sort | head -n 1)
[ -n "$file" ] || exit 0
path=${file#"$live/public/"}
code=$(curl "$@" --output /dev/null --write-out '%{http_code}' --url "$base/$path") || code="error $? of curl"
case $code in
  [245]??) printf 'file %s %s\n' "$code" "$path" ;;
  *) printf 'unasked %s the answer is %s\n' "$path" "$code" ;;
esac
# The first folder above it that others may not enter is most often why.
folder=$live
while [ -n "$folder" ]; do
  case $(stat -c %A "$folder") in *[xt]) ;; *) printf 'closed %s\n' "$folder" ;; esac
  folder=${folder%/*}
done
