# readable FILE
# Fails where a file cannot be read that has to be, once the release is live.
[ -r "$1" ] || { echo "$1 cannot be read" >&2; exit 66; }
