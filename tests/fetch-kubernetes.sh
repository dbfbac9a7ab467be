#!/bin/sh
# Builds a Kubernetes for the tests out of Debian's own source package, once, and keeps its five programs in the kit's
# cache. Takes about five minutes of two cores and 390 MB. Does nothing when the cache already holds this version.
set -eu

version='1.20.5+really1.20.2'
digest=b83c0780efb182d928dc63d46488a847f161f04e40a94b96bf5247dd671ecdfc
# A mark of its own for what this script makes of that source.
wanted="1 $version"

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:+$XDG_CACHE_HOME/cutover-kit}
cache=${cache:-$root/target/kit-cache}
home=$cache/kubernetes

if [ "$(cat "$home/VERSIONS" 2>/dev/null)" = "$wanted" ]; then
  echo "kubernetes: $version is in $home"
  exit 0
fi

[ "$(id -u)" = 0 ] && sudo= || sudo=sudo
if ! command -v go >/dev/null; then
  echo "kubernetes: installing golang-go, which builds it"
  $sudo apt-get update -qq
  $sudo apt-get install -y -qq --no-install-recommends golang-go >/dev/null
fi

# Everything is prepared beside the cache and moved in at once: a killed build leaves nothing half behind.
mkdir -p "$cache"
fresh=$(mktemp -d "$cache/kubernetes.XXXXXX")
trap 'chmod -R u+w "$fresh"; rm -rf "$fresh"' EXIT
cd "$fresh"
mkdir bin

mirror=$(sed -n 's/^URIs: *//p; s/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) bookworm .*/\2/p' \
  /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | head -n 1)
curl -sSf -o source.tar.gz "${mirror%/}/pool/main/k/kubernetes/kubernetes_$version.orig.tar.gz"
echo "$digest  source.tar.gz" | sha256sum --check --quiet

# Its packages find one another, and what Debian put beside them, only below a GOPATH.
tree=work/src/k8s.io/kubernetes
mkdir -p "$tree"
tar -xzf source.tar.gz -C "$tree" --strip-components=1
rm source.tar.gz
export GOPATH="$fresh/work" GOCACHE="$fresh/go" GO111MODULE=off GOFLAGS='' CGO_ENABLED=0
cd "$tree"

# One generated file is not in the source package, and neither are the programs that Debian builds it with.
echo "kubernetes: building $version, which takes some minutes"
schema=pkg/generated/openapi
if [ ! -e "$schema/zz_generated.openapi.go" ]; then
  go build -o "$fresh/openapi-gen" k8s.io/kubernetes/vendor/k8s.io/kube-openapi/cmd/openapi-gen
  described=$(grep -rl --include='*.go' '+k8s:openapi-gen=true' pkg cmd staging/src/k8s.io vendor/k8s.io/kube-openapi |
    grep -v sample | while read -r file; do dirname "$file"; done | sort -u |
    sed 's|^staging/src/|vendor/|; s|^|k8s.io/kubernetes/|' | paste -s -d ,)
  "$fresh/openapi-gen" --input-dirs "$described" --output-package "k8s.io/kubernetes/$schema" \
    --output-file-base zz_generated.openapi --output-base "$fresh/work/src" \
    --go-header-file hack/boilerplate/boilerplate.generatego.txt --report-filename "$fresh/violations" 2>"$fresh/log" || {
    cat "$fresh/log" >&2
    exit 1
  }
fi

# Clients and servers compare these to know what the other one can do.
said=
for place in component-base/version client-go/pkg/version; do
  name=k8s.io/kubernetes/vendor/k8s.io/$place
  said="$said -X $name.gitVersion=v1.20.2 -X $name.gitMajor=1 -X $name.gitMinor=20"
done
for program in kube-apiserver kube-controller-manager kube-scheduler kubelet kubectl; do
  nice go build -trimpath -ldflags "-s -w$said" -o "$fresh/bin/" "k8s.io/kubernetes/cmd/$program"
done

cd "$fresh"
chmod -R u+w work
rm -rf work go openapi-gen violations log
printf '%s\n' "$wanted" >VERSIONS
chmod 755 "$fresh"
rm -rf "$home"
mv "$fresh" "$home"
trap - EXIT
echo "kubernetes: $version built in $home"
