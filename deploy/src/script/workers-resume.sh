# workers-resume ROOT
# Workers that paused for a swap that never came take jobs again.
rm -f "$1"/.cutover/paused.*
