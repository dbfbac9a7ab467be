# look
# Tells what a host has that a `cutover.toml` speaks of: pools, web servers and their sites, workers. Changes nothing.
printf 'user %s\n' "$(id -un)"
for socket in /run/php/*.sock; do
  # The plain name is a link to one of the others.
  if [ -S "$socket" ] && [ ! -L "$socket" ]; then printf 'pool %s\n' "$socket"; fi
done
for file in /lib/systemd/system/php*-fpm.service /usr/lib/systemd/system/php*-fpm.service; do
  if [ -e "$file" ]; then printf 'service %s\n' "$(basename "$file" .service)"; fi
done
for file in /etc/nginx/sites-enabled/* /etc/nginx/conf.d/*.conf; do
  [ -r "$file" ] || continue
  echo 'site nginx'
  sed -n 's/^[[:space:]]*\(root\|server_name\|fastcgi_pass\|listen\)[[:space:]]\{1,\}\([^;]*\);.*/site \1 \2/p' "$file"
done
for file in /etc/apache2/sites-enabled/*; do
  [ -r "$file" ] || continue
  echo 'site apache'
  sed -n 's/^[[:space:]]*DocumentRoot[[:space:]]\{1,\}\([^[:space:]]*\).*/site root \1/p; s/^[[:space:]]*ServerName[[:space:]]\{1,\}\([^[:space:]]*\).*/site server_name \1/p' "$file"
done
for file in /etc/supervisor/conf.d/*.conf /etc/supervisord.d/*.ini; do
  [ ! -r "$file" ] || sed -n 's/^\[program:\(.*\)\].*/program name \1/p; s/^\(command\|directory\|numprocs\)[[:space:]]*=[[:space:]]*\(.*\)/program \1 \2/p' "$file"
done
for file in /etc/systemd/system/*.service; do
  # What a timer starts is no worker.
  if [ -r "$file" ] && ! grep -q '^Type=oneshot' "$file"; then
    printf 'unit %s %s\n' "$(basename "$file" .service)" "$(sed -n 's/^ExecStart=//p' "$file" | head -n 1)"
    sed -n 's/^WorkingDirectory=/program directory /p' "$file"
    # Of a template, the instances that begin with the host.
    case $file in *@.service)
      count=$(find /etc/systemd/system/*.wants -name "$(basename "$file" .service)?*.service" 2>/dev/null | wc -l)
      [ "$count" = 0 ] || printf 'program numprocs %s\n' "$count" ;;
    esac
  fi
done
