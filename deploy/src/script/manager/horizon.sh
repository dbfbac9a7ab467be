# What comes before command.sh for Horizon: who is told to end.
# A master has supervisors end, which have their workers end, and only then another one is started in its place. So nobody
# else is told, but who has lost who would tell him: workers outlive a supervisor that was killed, and work on for ever.
# horizon:terminate says TERM to all masters that it finds in Redis, old or new, and knows nothing of the others.
words() { { tr '\000' '\n' <"/proc/$1/cmdline"; } 2>/dev/null; }
horizon() {
  for pid; do
    parent=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$pid/status" 2>/dev/null) || continue
    if words "$pid" | grep -qx horizon; then
      kill -TERM "$pid" || true
    elif words "$pid" | grep -qxE 'horizon:(supervisor|work)' && ! words "$parent" | grep -qxE 'horizon(:supervisor)?'; then
      kill -TERM "$pid" || true
    fi
  done
}
