# store KEEPER
# Hosts that serve one app share a queue and a database. The keeper has them in a folder that all hosts see.
keeper=$1
sed -i 's#^REDIS_HOST=.*#REDIS_HOST=/srv/store/redis.sock#; s#^REDIS_PORT=.*#REDIS_PORT=0#; s#^DB_DATABASE=.*#DB_DATABASE=/srv/store/db.sqlite#' \
  /srv/app/shared/.env
if [ "$keeper" = yes ]; then
  chmod 777 /srv/store
  mv /srv/app/shared/db.sqlite /srv/store
  ln -s /srv/store/db.sqlite /srv/app/shared/db.sqlite
  mkdir -p /etc/systemd/system/redis-server.service.d
  printf '[Service]\nReadWritePaths=/srv/store\n' >/etc/systemd/system/redis-server.service.d/store.conf
  printf 'unixsocket /srv/store/redis.sock\nunixsocketperm 777\n' >>/etc/redis/redis.conf
  systemctl daemon-reload
  systemctl restart redis-server
else
  rm /srv/app/shared/db.sqlite
  systemctl stop redis-server
fi
supervisorctl restart all >/dev/null
