# queue ROOT PHP QUEUES
# Asks the live release how its queue stands since the swap. PHP is a script; QUEUES are names, one in a line.
since=$(stat -c %Y "$1/current")
cd "$1/current" || exit 66
printf '%s' "$2" | php -d display_errors=stderr -- "$since" "$3"
