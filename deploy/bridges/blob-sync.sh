#!/bin/sh
# Copies what is new of a storage account's diagnostic logs into a folder that cosmoguard watches.
#
#   SYNC_FROM   rclone remote (`logs:` of type azureblob, `env_auth = true`), or with azcopy the
#                          account's URL: https://LOGS.blob.core.windows.net
#   SYNC_TO     the watched folder
#   SYNC_WITH   rclone (default) or azcopy
#   SYNC_HOURS  how far back to look, hours (default 6)
#
# An hour's blob grows until the hour is over, and is copied anew each time; cosmoguard recognises it by its beginning
# and reads on from where it was, and waits for the rest of a record that is half there. Nothing is deleted here:
# clear old folders by age when disk space asks for it, at the earliest a day after they were written.
set -eu

# Not named COSMOGUARD_...: names with that prefix are settings of the service itself.
from=${SYNC_FROM:?set SYNC_FROM to an rclone remote or a storage account URL}
to=${SYNC_TO:?set SYNC_TO to the folder that cosmoguard watches}
with=${SYNC_WITH:-rclone}
hours=${SYNC_HOURS:-6}

mkdir -p "$to"

case $with in
  rclone)
    # The list of containers decides; a subscription that sends one category less has one container less.
    rclone lsf --dirs-only --max-depth 1 --include '/insights-*/' "$from" |
      while IFS= read -r container; do
        rclone copy "$from/${container%/}" "$to/${container%/}" \
          --include 'resourceId=**/PT1H.json' --max-age "${hours}h" \
          --no-traverse --transfers 8 --checkers 16 --retries 3 --log-level NOTICE
      done
    ;;
  azcopy)
    since=$(date -u -d "-$hours hours" +%Y-%m-%dT%H:%M:%SZ)
    # azcopy takes a pattern in the container's place.
    azcopy copy "$from/insights-*" "$to" --recursive --include-pattern PT1H.json \
      --include-after "$since" --overwrite ifSourceNewer --log-level ERROR
    ;;
  *)
    echo "blob-sync: SYNC_WITH must be rclone or azcopy, not '$with'" >&2
    exit 2
    ;;
esac
