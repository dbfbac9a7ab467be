# doctor-rights [COMMAND…]
# Tells which commands sudo allows, and runs none of them. The words of a command have no blanks.
# As soon as one rule asks for no password, sudo lists all commands alike: whether some rule does ask is told as well.
# After a rule that allows everything without one, none before it counts.
set -f
for command; do
  place=/usr/local/sbin/${command%% *} asked=$command
  # As supervisor.sh calls it: sudo need not find it by itself.
  case $command in cutover-supervisor*) if [ -x "$place" ]; then asked="/usr/local/sbin/$command"; fi ;; esac
  # shellcheck disable=SC2086
  if sudo -n -l $asked >/dev/null 2>&1; then word=allowed; else word=denied; fi
  printf '%s %s\n' "$word" "$command"
done
rules=$(sudo -n -l 2>/dev/null) || exit 0
# Long rules go on in lines that are indented further.
printf '%s\n' "$rules" | awk '
  function judge() {
    if (rule ~ /^    \((ALL|root)[^)]*\) NOPASSWD: ALL$/) asks = "no"
    else if (rule ~ /^    \(/ && (rule !~ /^    \([^)]*\) ([A-Z_]+=[^ ]* |[A-Z]+: )*NOPASSWD: / || rule ~ / PASSWD: /)) asks = "yes"
  }
  BEGIN { asks = "no" }
  /^        / { sub(/^ +/, " "); rule = rule $0; next }
  { judge(); rule = $0 }
  END { judge(); print "asks", asks }'
