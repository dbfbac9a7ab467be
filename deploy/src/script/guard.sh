# guard BYTES FILE STEPS [STEPS_ARGUMENT…]
# Runs steps that only prepare. They end when stdin does: nobody is left who waits for them.
bytes=$1 file=$2 steps=$3
shift 3
if [ "$bytes" -gt 0 ]; then
  mkdir -p "${file%/*}"
  head -c "$bytes" >"$file" || {
    rm -f "$file"
    exit 74
  }
fi
exec 3<&0
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
exit "$status"
