# line ROOT RELEASE ENVIRONMENT COMMIT DEPLOYMENT HOST LINE
# Runs one of the user's own shell lines in the folder of a release.
export CUTOVER_PATH="$1" CUTOVER_RELEASE="$2" CUTOVER_ENVIRONMENT="$3" CUTOVER_COMMIT="$4"
export CUTOVER_DEPLOYMENT="$5" CUTOVER_HOST="$6" CUTOVER_RELEASE_PATH="$1/releases/$2"
cd "$CUTOVER_RELEASE_PATH" || exit 66
exec sh -eu -c -- "$7"
