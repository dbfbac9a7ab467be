# Whichever release is live puts jobs on the queue: a quick one each time, now and then one of 3 s and one of 20 s. Ends
# with its stdin.
number=0
push() { php /srv/app/current/artisan test:push 1 --seconds="$2" --tag="$1-$number"; }
while :; do
  number=$((number + 1))
  push quick 0.1
  [ $((number % 5)) != 0 ] || push slow 3
  [ $((number % 20)) != 0 ] || push long 20
  status=0
  # Half a second, or the end of stdin.
  timeout 0.5 cat >/dev/null || status=$?
  if [ "$status" != 124 ]; then exit 0; fi
done
