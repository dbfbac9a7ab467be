# dispatch HOSTS
# Whichever release is live puts jobs on the queue: a quick one each time, now and then one of 3 s and one of 20 s. Ends
# with its stdin.
number=0 host=$(uname -n) pause=$(awk -v hosts="$1" 'BEGIN { print hosts * 0.8 - 0.3 }')
push() { php /srv/app/current/artisan test:push 1 --seconds="$2" --tag="$host-$1-$number"; }
while :; do
  number=$((number + 1))
  push quick 0.1
  [ $((number % 5)) != 0 ] || push slow 3
  [ $((number % 20)) != 0 ] || push long 20
  status=0
  # So long, or until stdin ends.
  timeout "$pause" cat >/dev/null || status=$?
  if [ "$status" != 124 ]; then exit 0; fi
done
