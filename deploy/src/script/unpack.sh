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
rm -rf "$file.d"
mkdir -p "$file.d"
tar -xzof "$file" -C "$file.d"
# Its REVISION has the time of the commit, which is for all.
if [ -f "$file.d/REVISION" ]; then find "$file.d" -type f -exec touch -r "$file.d/REVISION" {} +; fi
rm -rf "$file.d/REVISION"
printf '%s\n' "$revision" >"$file.d/REVISION"
# What an earlier try of this deployment made is there until this is: workers that it started may still finish a job.
gone=$root/releases/.gone.$release
if [ -e "$root/releases/$release" ] || [ -L "$root/releases/$release" ]; then
  rm -rf "$gone"
  mv -T "$root/releases/$release" "$gone"
fi
mv "$file.d" "$root/releases/$release"
rm -rf "$gone" 2>/dev/null || true
rm -rf "$root/.cutover/objects"
mkdir "$root/.cutover/objects"
mv "$file" "$root/.cutover/objects/artifact"
if [ -f "${file%/*}/.parts" ]; then mv "${file%/*}/.parts" "$root/.cutover/objects/parts"; fi
# Only the holder of the lease brings anything, so what else lies there was left behind.
rm -rf "${file%/*}"
