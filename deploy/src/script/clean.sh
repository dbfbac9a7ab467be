# clean ROOT RELEASE INCOMING
# Takes away what a deployment brought and did not make live.
root=$1 release=$2 incoming=$3
# Who paused for a swap that never came takes jobs again.
rm -f "$root"/.cutover/paused.*
rm -rf "$incoming" "$incoming.new" "$incoming.d" "${incoming%/*}/.parts"
if [ "$(readlink "$root/current" || true)" = "releases/$release" ]; then
  echo "$release is live and stays"
fi
