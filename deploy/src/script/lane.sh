# lane
# Waits for one line with the words of a script and becomes that script, so its channel is open before there is anything
# to say on it. Every word ends with US, and GS stands for a line feed within it. Without a line it ends.
IFS= read -r words || exit 0
words=$(printf '%s' "$words" | tr '\035' '\012')
IFS=$(printf '\037')
set -f
# shellcheck disable=SC2086
set -- $words
set +f
unset IFS
exec sh -euc "$@"
