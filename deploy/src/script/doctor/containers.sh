# doctor-containers ROOT
# Tells what the live release says of containers: how they are started, and how they are stopped. Changes nothing.
cd "$1/current" 2>/dev/null || exit 0
for file in Dockerfile* docker/Dockerfile* docker/*/Dockerfile*; do
  if [ -f "$file" ]; then awk -v file="$file" '/^[[:space:]]*(FROM|CMD|ENTRYPOINT|STOPSIGNAL)[[:space:]]/ { print "image", file, $0 }' "$file"; fi
done
# Of a file of YAML everything but values that may be secret: commands, what stops them, and the lines that hold these.
for file in compose*.y*ml docker-compose*.y*ml k8s/*.y*ml kubernetes/*.y*ml deploy/*.y*ml; do
  if [ -f "$file" ]; then
    awk -v file="$file" 'NR <= 2000 && (/^[^:]*:[[:space:]]*$/ || /^[[:space:]]*-/ ||
      /(command|args|entrypoint|init|stop_signal|stop_grace_period|terminationGracePeriodSeconds|kind|name|seconds):/) { print "yaml", file " " $0 }' "$file"
  fi
done
