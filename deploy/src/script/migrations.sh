# migrations ROOT
# Lists the migrations that the live release holds, a name a line, and runs nothing of it.
for file in "$1"/current/database/migrations/*.php; do
  [ -e "$file" ] || continue
  name=${file##*/}
  printf '%s\n' "${name%.php}"
done
