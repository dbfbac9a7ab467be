# script WAY VERB NUMBER
# How such a script is often written; it runs on the host. The copy stands for clone and `composer install`.
way=$1 verb=$2 number=$3
cd /srv/app || exit
live=$(basename "$(readlink current)")
if [ "$verb" = deploy ]; then
  id=$(date -u +%Y%m%d%H%M%S)-$number
  cp -a "releases/$live" "releases/$id"
  cd "releases/$id" || exit
  sed -i "s/VERSION = '[^']*'/VERSION = 'v$number'/" app/Code.php
  printf '%040d\n%s\n' 0 "$id" >REVISION
  rm -f bootstrap/cache/config.php bootstrap/cache/routes-v7.php bootstrap/cache/events.php
  php artisan migrate --force --no-interaction
  php artisan config:cache
  php artisan event:cache
  php artisan route:cache
  php artisan view:cache
  cd ../.. || exit
  echo "$live" >.previous
else
  id=$(cat .previous)
fi
case $way in
  queue_restart)
    ln -nfs "/srv/app/releases/$id" current
    php current/artisan queue:restart
    sudo -n /usr/bin/systemctl reload php8.2-fpm ;;
  restart)
    ln -sfn "/srv/app/releases/$id" current.tmp
    mv -Tf current.tmp current
    sudo -n /usr/bin/systemctl reload php8.2-fpm
    sudo -n /usr/bin/supervisorctl restart 'app-worker:*' ;;
esac
# shellcheck disable=SC2012
ls -1d releases/* | head -n -5 | xargs -r rm -rf
