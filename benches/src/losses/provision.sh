# provision ROOT OVERLAP
# Sets a host up as it is often found: PHP-FPM ends requests at once when it is reloaded, supervisor kills after 10 s.
root=$1 overlap=$2
pool=/etc/php/8.2/fpm/pool.d/www.conf
sed -i 's/^pm.max_children = .*/pm.max_children = 24/' "$pool"
sed -i "s/SCRIPT_FILENAME .*fastcgi_script_name;/SCRIPT_FILENAME \$${root}_root\$fastcgi_script_name;/; s/DOCUMENT_ROOT .*;/DOCUMENT_ROOT \$${root}_root;/" \
  /etc/nginx/sites-enabled/app
systemctl restart php8.2-fpm
systemctl reload nginx
group=/etc/supervisor/conf.d/app-worker.conf
sed -i '/^stopwaitsecs/d' "$group"
supervisorctl update >/dev/null
[ "$overlap" = yes ] || exit 0
mkdir -p /etc/supervisor/cutover
sed 's/^\[program:.*/[program:@group@]/; s#/srv/app/current/#/srv/app/releases/@release@/#; $a stopwaitsecs=3600' "$group" \
  >/etc/supervisor/cutover/app-worker.conf
rm "$group"
chmod 755 /usr/local/sbin/cutover-supervisor
echo 'deploy ALL=(root) NOPASSWD: /usr/local/sbin/cutover-supervisor' >/etc/sudoers.d/overlap
