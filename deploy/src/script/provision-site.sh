# Comes behind provision.sh where nginx serves: what other sites there are.
# debians: whether nginx's first site is as Debian wrote it, and no app's.
debians() {
  # shellcheck disable=SC2016
  dpkg-query -W -f '${Conffiles}\n' nginx-common 2>/dev/null |
    awk -v file=/etc/nginx/sites-available/default '$1 == file { print $2 "  " file }' |
    md5sum --check --status 2>/dev/null
}
# alone NAME FILE MEND: refuses a name that another site than FILE answers to.
alone() {
  for site in /etc/nginx/sites-enabled/* /etc/nginx/conf.d/*.conf; do
    [ -r "$site" ] || continue
    case ${site##*/} in "$2") continue ;; default) if debians; then continue; fi ;; esac
    if awk -v name="$1" '{ sub(/#.*/, ""); gsub(/[;{}]/, " & ")
        for (i = 1; i <= NF; i++) if ($i == "server_name") on = 1; else if ($i == ";") on = 0; else if (on && $i == name) found = 1
      } END { exit !found }' "$site"; then
      refuse "$site answers to $1 already: $3, then print and run this again"
    fi
  done
}
