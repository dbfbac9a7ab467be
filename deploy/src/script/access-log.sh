# access-log ROOT LOG FROM
# Counts the requests in an access log and those of them that ended with 5xx: from FROM on, which is what this printed
# first the last time, or else after the second of the swap. Of a log that is large the last 16 MiB are enough for that.
root=$1 log=$2 from=$3
[ -r "$log" ] || { echo "$log cannot be read" >&2; exit 66; }
here=$(stat -L -c '%i:%s' "$log")
size=${here#*:} since=0 start=0 rest=
case $from in
  '')
    since=$(stat -c %Y "$root/current")
    start=$((size > 16777216 ? size - 16777216 : 0)) ;;
  "${here%:*}":*) start=${from#*:} ;;
  # It was rotated: what came after FROM is in the file before.
  *) if [ "$(stat -L -c %i "$log.1" 2>/dev/null || true)" = "${from%:*}" ]; then rest=${from#*:}; fi ;;
esac
if [ "$start" -gt "$size" ]; then start=0; fi
counts=$({
  if [ -n "$rest" ]; then tail -c "+$((rest + 1))" "$log.1"; fi
  tail -c "+$((start + 1))" "$log" | head -c "$((size - start))"
} | awk -v since="$since" '
  function days(y, m, d) {
    if (m < 3) { y--; m += 12 }
    return 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * m - 457) / 5) + d - 719469
  }
  function moment(text, part, month) {
    split(text, part, /[\/: ]/)
    month = (index("JanFebMarAprMayJunJulAugSepOctNovDec", part[2]) + 2) / 3
    return 86400 * days(part[3], month, part[1]) + 3600 * part[4] + 60 * part[5] + part[6] \
      - (substr(part[7], 1, 1) (3600 * substr(part[7], 2, 2) + 60 * substr(part[7], 4, 2)))
  }
  { gsub(/\\"/, "") }
  !match($0, /" [1-5][0-9][0-9] /) { other++; next }
  { failed = substr($0, RSTART + 2, 1) == 5 }
  since && match($0, /\[[0-9]+\/[A-Z][a-z][a-z]\/[0-9: ]+[-+][0-9]+\]/) &&
    moment(substr($0, RSTART + 1, RLENGTH - 2)) <= since { next }
  { all++; bad += failed }
  END { print all + 0, bad + 0, other + 0 }')
echo "$here $counts"
