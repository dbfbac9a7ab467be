# unpack ROOT RELEASE FILE DIGEST REVISION
# Makes the folder of a release from the artifact that was brought to FILE.
root=$1 release=$2 file=$3 digest=$4 revision=$5
if [ "$(readlink "$root/current" || true)" = "releases/$release" ]; then
  echo "release $release is live and cannot be unpacked again" >&2
  exit 65
fi
if [ "$(sha256sum <"$file")" != "$digest  -" ]; then
  echo "the artifact did not arrive whole: $(wc -c <"$file") bytes, and not the digest that was sent" >&2
  exit 74
fi
rm -rf "$root/releases/$release" "$file.d"
mkdir -p "$file.d"
tar -xzof "$file" -C "$file.d"
rm -rf "$file.d/REVISION"
printf '%s\n' "$revision" >"$file.d/REVISION"
mv "$file.d" "$root/releases/$release"
# Only the holder of the lease brings anything, so what else lies there was left behind.
rm -rf "${file%/*}"
