# fpm SERVICE SUDO   (SUDO: yes or no)
# Reloads PHP-FPM. What it then serves is proven by the health check, not by this exit status.
service=$1 sudo=$2
if [ "$sudo" = yes ]; then sudo -n systemctl reload "$service"; else systemctl reload "$service"; fi
echo "reload of $service asked for"
