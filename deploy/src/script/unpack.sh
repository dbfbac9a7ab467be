# unpack ROOT RELEASE FILE DIGEST REVISION
# Makes the folder of a release from the artifact that was brought to FILE, and keeps that artifact for the next one.
root=$1 release=$2 file=$3 digest=$4 revision=$5
if [ "$(readlink "$root/current" || true)" = "releases/$release" ]; then
  echo "release $release is live and cannot be unpacked again" >&2
  exit 65
fi
if [ "$(sha256sum <"$file")" != "$digest  -" ]; then
  echo "the artifact did not arrive whole: $(wc -c <"$file") bytes, and not the digest that was sent" >&2
  # What it was put together from may be why; the next one comes whole.
  rm -rf "$root/.cutover/objects"
  exit 74
fi
rm -rf "$root/releases/$release" "$file.d"
mkdir -p "$file.d"
tar -xzof "$file" -C "$file.d"
# Its REVISION has the time of the commit, which is for all.
if [ -f "$file.d/REVISION" ]; then find "$file.d" -type f -exec touch -r "$file.d/REVISION" {} +; fi
rm -rf "$file.d/REVISION"
printf '%s\n' "$revision" >"$file.d/REVISION"
mv "$file.d" "$root/releases/$release"
rm -rf "$root/.cutover/objects"
mkdir "$root/.cutover/objects"
mv "$file" "$root/.cutover/objects/artifact"
if [ -f "${file%/*}/.parts" ]; then mv "${file%/*}/.parts" "$root/.cutover/objects/parts"; fi
# Only the holder of the lease brings anything, so what else lies there was left behind.
rm -rf "${file%/*}"
