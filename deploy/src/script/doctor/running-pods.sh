# What comes behind pods.sh, form.sh and template.sh: how pods of a Deployment are started, and what they may take to end.
# Changes nothing.
# shellcheck disable=SC2154
command=$(started_by)
seconds=$(patience)
spent=$(before_term)
us=$(printf '\037') form=words
[ "$spent" = 0 ] || seconds=$seconds-$spent
if [ -z "$command" ]; then
  form=unknown
elif would_lose "$command" 0 0 '' 2>/dev/null; then
  form=shell
fi
words=$(printf '%s\n' "$command" | sed "s/^\"//; s/\"\$//; s/\" \"/$us/g")
printf 'container %s %s %s - %s %s\n' "$group" "deployment/$group" "$seconds" "$form" "$words"
