# guard FILE SENT ORDERS PARTS STEPS [STEPS_ARGUMENT…]   (SENT: bytes that come by stdin)
# Puts an artifact together in FILE, by ORDERS: `new LENGTH` comes by stdin, `kept LENGTH FIRST` is in the artifact that
# was brought before. Then runs steps that only prepare. They end when stdin does: nobody is left who waits for them.
file=$1 sent=$2 orders=$3 parts=$4 steps=$5
shift 5
exec 3<&0
kept=${file%/incoming/*}/objects/artifact
assemble() {
  # All of it at once: not every head leaves on stdin what it does not want.
  head -c "$sent" <&3 >"$file.new" || return
  if [ "$orders" = "new $sent" ]; then
    mv "$file.new" "$file"
    return
  fi
  at=1
  printf '%s\n' "$orders" | while read -r whence length first; do
    case $whence in
      new) tail -c "+$at" "$file.new" | head -c "$length" && at=$((at + length)) ;;
      kept) tail -c "+$first" "$kept" | head -c "$length" ;;
    esac
  done >"$file" && rm -f "$file.new"
}
if [ -n "$orders" ]; then
  mkdir -p "${file%/*}"
  assemble || { rm -f "$file" "$file.new" && exit 74; }
  printf '%s\n' "$parts" | sed '/^$/d' >"${file%/*}/.parts"
fi
setsid sh -euc "$steps" steps "$@" </dev/null 2>&1 &
group=$!
{
  cat <&3 >/dev/null
  # It may be about to become a group only.
  kill -TERM "-$group" || kill -TERM "$group"
} >/dev/null 2>&1 &
watch=$! status=0
wait "$group" || status=$?
kill "$watch" 2>/dev/null || true
# Whoever called it off may have looked for what was brought before it was there. Steps that went well have moved it away.
if [ -n "$orders" ] && [ "$status" != 0 ]; then rm -rf "$file" "$file.new" "$file.d" "${file%/*}/.parts"; fi
exit "$status"
