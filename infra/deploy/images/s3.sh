#!/bin/sh
# SeaweedFS as one S3 server that checks signatures, with its keys from secret files and the bucket `media` made
# at start. Further arguments go to `weed mini`.
set -eu
umask 077
config="$(mktemp)"
cat > "$config" <<END
{"identities": [{
  "name": "pickly",
  "credentials": [{
    "accessKey": "$(cat "$PICKLY_SECRETS/s3_access")", "secretKey": "$(cat "$PICKLY_SECRETS/s3_secret")"
  }],
  "actions": ["Admin", "Read", "List", "Tagging", "Write"]
}]}
END
exec weed -logtostderr=true mini -dir=/data -ip=127.0.0.1 -ip.bind=0.0.0.0 -s3.port=8333 "-s3.config=$config" \
  -bucket=media -s3.port.iceberg=0 -s3.port.lance=0 -webdav=false -admin.ui=false -master.telemetry=false \
  -master.volumeSizeLimitMB=128 -filer.saveToFilerLimit=0 "$@"
