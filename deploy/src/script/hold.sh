# hold ROOT SEEN HOLD JOURNAL
# Puts HOLD in the place of the hold that was seen, or takes that away when HOLD is empty. Tells the one that stands
# there now, with exit 75, when it is another.
root=$1 seen=$2 hold=$3 journal=$4
umask 022
mkdir -p "$root/.cutover"
exec 8<"$root/.cutover"
flock 8
file=$root/.cutover/hold.json
now=$(head -n 1 "$file" 2>/dev/null || true)
if [ "$now" != "$seen" ]; then
  printf '%s\n' "$now"
  exit 75
fi
if [ -n "$hold" ]; then
  printf '%s\n' "$hold" >"$file.new"
  sync "$file.new"
  mv "$file.new" "$file"
else
  rm -f "$file"
fi
sync "$root/.cutover"
printf '%s\n' "$journal" >>"$root/.cutover/log.jsonl"
