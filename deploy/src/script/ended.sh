# ended FOLDER SEGMENT NONCE LINES
# Tells how a segment ended whose line was lost, and what it said after the first LINES lines.
folder=$1 segment=$2 nonce=$3 lines=$4
grep -qF "$nonce" "$folder/$segment.log" 2>/dev/null || exit 0
tail -n "+$((lines + 1))" "$folder/$segment.log"
# It has given back the fence, so all that can be missing is the moment in which its status is written.
tries=0
while [ ! -s "$folder/$segment.status" ] && [ "$tries" -lt 50 ]; do
  sleep 0.1
  tries=$((tries + 1))
done
if [ -s "$folder/$segment.status" ]; then printf '\n\036%s status %s\n' "$nonce" "$(cat "$folder/$segment.status")"; fi
