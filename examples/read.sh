#!/bin/sh
# Read a document with curl: its text, its regions as JSON, and a PDF that can be searched.
#
#   sh examples/read.sh scan.pdf          writes scan.pdf.txt, scan.pdf.json and scan.pdf.searchable.pdf
#
# SCRIPTORIUM_URL is the address of the service, SCRIPTORIUM_KEY the API key where it asks for one.
set -eu

url=${SCRIPTORIUM_URL:-http://127.0.0.1:8000}
document=${1:?usage: read.sh DOCUMENT}

# --retry waits as long as Retry-After says when the service is busy (429, 503). The key goes through
# standard input: what stands on a command line is seen by everyone on the machine.
ocr() {
    if [ -n "${SCRIPTORIUM_KEY:-}" ]; then
        printf 'header = "Authorization: Bearer %s"\n' "$SCRIPTORIUM_KEY"
    fi | curl --config - --silent --show-error --fail-with-body --retry 5 "$@"
}

# A form field, as browsers send files. The answer's format is a parameter.
ocr -F "image=@$document" "$url/ocr?format=text" --output "$document.txt"

# The raw body does as well, and the Accept header. The client waits 30 s at most.
ocr --data-binary "@$document" -H 'Accept: application/json' -H 'Prefer: wait=30' "$url/ocr" \
    --output "$document.json"

# Pages 1 to 3 only.
ocr -F "image=@$document" "$url/ocr?format=pdf&pages=1-3" --output "$document.searchable.pdf"

# Each page as soon as it is read, one line of JSON each.
ocr --no-buffer -F "image=@$document" -H 'Accept: application/x-ndjson' "$url/ocr"
