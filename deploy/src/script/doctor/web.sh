# doctor-web ROOT BASE HOST   (HOST: the header; may be empty)
# Asks the web server of a host for what it must never hand out, and for a file that it must. Changes nothing.
root=$1 base=$2 host=$3
set -- --globoff --silent --show-error --max-time 10 --proto '=http,https' --noproxy '*'
if [ -n "$host" ]; then set -- "$@" --header "Host: $host"; fi
if ! command -v curl >/dev/null; then echo 'curl is not installed' >&2 && exit 69; fi
live=$(cd "$root/current" 2>/dev/null && pwd -P) || { echo 'nothing is live yet' >&2 && exit 69; }
secret() {
  # What matters is what comes: an app may answer anything with a page of its own.
  if ! body=$(curl "$@" --max-filesize 100000 --url "$base/$path" | head -c 4000 | tr -d '\000'); then return 1; fi
  if printf '%s\n' "$body" | grep -q "$like"; then echo "served $path"; else echo "unserved $path"; fi
}
curl "$@" --output /dev/null --url "$base/" || exit 69
path=.env like='^[A-Z][A-Z0-9_]*=' && secret "$@"
path=.git/HEAD like='^ref: ' && secret "$@"
file=$(find "$live/public" -maxdepth 2 -type f ! -name '*.php' ! -name '.*' -print 2>/dev/null | grep -v '[^A-Za-z0-9._/-]' | sort | head -n 1)
[ -n "$file" ] || exit 0
path=${file#"$live/public/"}
printf 'file %s %s\n' "$(curl "$@" --output /dev/null --write-out '%{http_code}' --url "$base/$path" || true)" "$path"
# The first folder above it that others may not enter is most often why.
folder=$live
while [ -n "$folder" ]; do
  case $(stat -c %A "$folder") in *[xt]) ;; *) printf 'closed %s\n' "$folder" ;; esac
  folder=${folder%/*}
done
