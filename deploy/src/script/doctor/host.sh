# doctor-host ROOT [SHARED_PATH…]
# Tells of the machine below an app, and of the app's files. Changes nothing.
root=$1
shift
printf 'clock %s\nuser %s %s\n' "$(date +%s)" "$(id -u)" "$(id -un)"
if found=$(command -v ln); then
  case $(readlink -f "$found") in */busybox*) echo 'ln busybox' ;; *) echo 'ln whole' ;; esac
fi
near=$root
while [ ! -d "$near" ]; do near=${near%/*}; near=${near:-/}; done
df -Pk "$near" | awk 'NR == 2 { print "disk", $2, $4 }'
df -Pi "$near" | awk 'NR == 2 { print "inodes", $2, $4 }'
env=$root/shared/.env
if [ -e "$env" ]; then
  printf 'env-mode %s\n' "$(stat -L -c %a "$env")"
  # Names only: what they are set to is nobody's business.
  if [ -r "$env" ]; then echo 'env -' && sed -n 's/^\(export  *\)\{0,1\}\([A-Za-z_][A-Za-z0-9_]*\)=.*/env \2/p' "$env"; fi
fi
live=$(cd "$root/current" 2>/dev/null && pwd -P) || exit 0
printf 'live %s\n' "${live##*/}"
example=$live/.env.example
if [ -r "$example" ]; then echo 'example -' && sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/example \1/p' "$example"; fi
for path; do
  there=$(readlink -f "$root/shared/$path" || true)
  if [ -e "$live/$path" ] && [ "$(readlink -f "$live/$path")" = "$there" ]; then word=linked; else word=unlinked; fi
  printf '%s %s\n' "$word" "$path"
done
