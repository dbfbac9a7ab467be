# guard FILE ORDERS PARTS STEPS [STEPS_ARGUMENT…]
# Puts an artifact together in FILE, by ORDERS: `new LENGTH` comes by stdin, `kept LENGTH FIRST` is in the artifact that
# was brought before. Then runs steps that only prepare. They end when stdin does: nobody is left who waits for them.
file=$1 orders=$2 parts=$3 steps=$4
shift 4
exec 3<&0
kept=${file%/incoming/*}/objects/artifact
if [ -n "$orders" ]; then
  mkdir -p "${file%/*}"
  total=0 at=1
  while read -r whence length _; do
    [ "$whence" != new ] || total=$((total + length))
  done <<ORDERS
$orders
ORDERS
  # All of it at once: not every head leaves on stdin what it does not want.
  head -c "$total" <&3 >"$file.new"
  printf '%s\n' "$orders" | while read -r whence length first; do
    case $whence in
      new) tail -c "+$at" "$file.new" | head -c "$length" && at=$((at + length)) ;;
      kept) tail -c "+$first" "$kept" | head -c "$length" ;;
    esac
  done >"$file" || { rm -f "$file" "$file.new" && exit 74; }
  rm -f "$file.new"
  printf '%s\n' "$parts" | sed '/^$/d' >"${file%/*}/.parts"
fi
setsid sh -euc "$steps" steps "$@" </dev/null 2>&1 &
group=$!
{
  cat <&3 >/dev/null
  kill -TERM "-$group"
} >/dev/null 2>&1 &
watch=$!
status=0
wait "$group" || status=$?
kill "$watch" 2>/dev/null || true
# Whoever called it off may have looked for what was brought before it was there.
if [ -n "$orders" ] && [ "$status" = 143 ]; then rm -rf "$file" "$file.new" "$file.d" "${file%/*}/.parts"; fi
exit "$status"
