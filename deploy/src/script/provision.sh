# Comes behind the head of the script that `cutover provision` prints: how it writes files of root's.
# shellcheck disable=SC2154
refuse() { echo "$1" >&2 && exit 1; }
# whose FILE PATH: another app on this host may have files of these names as well.
whose() {
  [ ! -e "$1" ] || grep -qF -e " $2/" -e "=$2/" -e "\"$2/" -e "'$2/" "$1" ||
    refuse "$1 names no $2/, so it is another app's: give this group or app another name. If it is this app's, move it away, or keep it with a comment that has $2/ in it"
}
# ours FILE: whether it is as a run like this one wrote it.
ours() { grep -qxF "$(sha256sum "$1")" "$known"; }
# put FILE MODE: writes its input there, unless somebody has changed the file since.
put() {
  wrote='' link=''
  sed "s/@primary-group@/$group/g" >"$work/new"
  rm -f "$work/old"
  if [ -e "$1" ]; then
    if ! cmp -s "$1" "$work/new" && ! ours "$1"; then
      # No tool reads a file that is called this.
      install -m 0600 "$work/new" "$1.cutover-new"
      echo "$1 is not as it was written here, and stays. See: diff -u $1 $1.cutover-new"
      return
    fi
    cp -p "$1" "$work/old"
  fi
  install -m "$2" "$work/new" "$1.cutover-new"
  mv "$1.cutover-new" "$1"
  wrote=$1
  ours "$1" || sha256sum "$1" >>"$known"
}
# sound TEST…: what fails its test does not stay, or the next restart of the service would take everything else down.
sound() {
  if "$@"; then return; fi
  [ -z "$link" ] || rm -f "$link"
  if [ -n "$wrote" ] && [ -e "$work/old" ]; then cp -p "$work/old" "$wrote"; elif [ -n "$wrote" ]; then rm -f "$wrote"; fi
  refuse "'$*' fails${wrote:+ with the new $wrote, which is as it was before}: mend what it says, then run this again"
}
# listens PORT: whether something on this host takes connections there.
listens() { grep -qsE "^ *[0-9]+: [0-9A-F]+:$(printf %04X "$1") [0-9A-F:]+ 0A " /proc/net/tcp /proc/net/tcp6; }
