# ended FOLDER SEGMENT
# Tells how a segment ended whose line was lost.
folder=$1 segment=$2
if [ -s "$folder/$segment.log" ]; then cat "$folder/$segment.log"; fi
if [ -s "$folder/$segment.status" ]; then printf '\nstatus %s\n' "$(cat "$folder/$segment.status")"; fi
