#!/bin/sh
# Installs the Debian packages that the tests and the demo need. Quiet when all of them are there already.
set -eu

# What is looked for, and the package that has it: a command, or a file when it begins with a slash.
needs='
busybox busybox
apache2 apache2-bin
bwrap bubblewrap
cap capistrano
chattr e2fsprogs
chromium chromium
composer composer
curl curl
flock util-linux
git git
haproxy haproxy
nginx nginx-light
openssl openssl
prometheus prometheus
node nodejs
npm npm
php php-cli
php-fpm php-fpm
/usr/lib/postgresql postgresql
/usr/share/php/Illuminate/Foundation/Application.php php-laravel-framework
/usr/lib/apache2/modules/libphp*.so libapache2-mod-php
redis-cli redis-tools
rsync rsync
redis-server redis-server
shellcheck shellcheck
socat socat
sqlite3 sqlite3
ssh openssh-client
sshd openssh-server
supervisord supervisor
systemd-analyze systemd
unzip unzip
visudo sudo
zip zip
'
# Only root can have machines, containers and a cluster of its own.
if [ "$(id -u)" = 0 ]; then
  needs="$needs
docker-compose docker-compose
docker-init tini
dockerd docker.io
etcd etcd-server
ip iproute2
mmdebstrap mmdebstrap
nft nftables
systemd-nspawn systemd-container
"
fi
extensions='mbstring:php-mbstring pcntl:php-cli pdo_pgsql:php-pgsql pdo_sqlite:php-sqlite3 redis:php-redis xml:php-xml'

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

is_there() {
  case $1 in
    /*) for file in $1; do [ ! -e "$file" ] || return 0; done && false ;;
    # Debian calls it php-fpm8.2, after its version.
    php-fpm) for file in /usr/sbin/php-fpm* /usr/bin/php-fpm* /usr/local/sbin/php-fpm*; do [ ! -x "$file" ] || return 0; done && false ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
  esac
}

missing=$(
  printf '%s' "$needs" | while read -r what package; do
    [ -z "$what" ] || is_there "$what" || echo "$package"
  done
  loaded=$(php -m 2>/dev/null || true)
  for pair in $extensions; do
    printf '%s\n' "$loaded" | grep -qix "${pair%%:*}" || echo "${pair#*:}"
  done
  # Capistrano knows keys of the kind that hosts have only with two more packages.
  for pair in ed25519:ruby-ed25519 bcrypt_pbkdf:ruby-bcrypt-pbkdf; do
    ruby -r "${pair%%:*}" -e '' 2>/dev/null || echo "${pair#*:}"
  done
)
missing=$(printf '%s\n' "$missing" | sort -u | tr '\n' ' ' | sed 's/^ *//; s/ *$//')
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "This is no Debian. Please install what these Debian packages hold, then try again:" >&2
  echo "  $missing" >&2
  exit 1
fi

sudo=
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "Please install these packages as root, then try again:" >&2
    echo "  apt-get install --no-install-recommends $missing" >&2
    exit 1
  fi
  sudo=sudo
fi

echo "Installing with apt-get, which takes a minute or two: $missing"

# The tests start programs of their own, so the services of the packages stay off.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap '$sudo rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
  $sudo chmod +x "$policy"
fi

log=$(mktemp)
# shellcheck disable=SC2086
if ! { $sudo apt-get update -q && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1; then
  cat "$log" >&2
  echo "apt-get failed, see above. These packages are needed: $missing" >&2
  exit 1
fi
rm -f "$log"
echo "Installed."
