# doctor-php ROOT CODE
# Has the PHP of the command line tell of itself and of the live release. Changes nothing.
root=$1 code=$2
if ! command -v php >/dev/null; then echo 'php is not installed' >&2 && exit 69; fi
cd "$root/current" 2>/dev/null || { echo 'nothing is live yet' >&2 && exit 69; }
# Not by stdin, where PHP has no STDERR to speak of, and apps do.
timeout 30 php -d display_errors=0 -d log_errors=0 -r "?>$code" -- "$root"
