#!/bin/sh
# Read a document with curl: its text, its regions as JSON, and a PDF that can be searched.
#
#   sh examples/read.sh scan.pdf          writes scan.pdf.txt, scan.pdf.json and scan.pdf.searchable.pdf
#
# SCRIPTORIUM_URL is the address of the service, SCRIPTORIUM_KEY the API key where it asks for one.
set -eu

url=${SCRIPTORIUM_URL:-http://127.0.0.1:8000}
url=${url%/}
if [ $# -ne 1 ]; then
    echo 'usage: sh examples/read.sh DOCUMENT' >&2
    exit 1
fi
document=$1
if ! [ -f "$document" ] || ! [ -r "$document" ]; then
    echo "$document: no file that can be read" >&2
    exit 1
fi
# To curl a comma or a semicolon in a form field begins something else: the name stands in quotes.
field="image=@\"$(printf '%s' "$document" | sed 's/[\\"]/\\&/g')\""

# --retry waits as long as Retry-After says when the service is busy (429, 503). The key goes through
# standard input: what stands on a command line is seen by everyone on the machine.
ocr() {
    if [ -n "${SCRIPTORIUM_KEY:-}" ]; then
        printf 'header = "Authorization: Bearer %s"\n' "$SCRIPTORIUM_KEY"
    fi | curl --config - --silent --show-error --fail-with-body --retry 5 --retry-connrefused "$@"
}

# An answer becomes a file when all of it is there; what the service says instead goes to standard error.
ocr_to() {
    file=$1
    shift
    code=0
    ocr --output "$file.part" "$@" || code=$?
    if [ "$code" -eq 0 ]; then
        mv "$file.part" "$file"
        return
    fi
    # 22: an answer came, with a status of 400 or more.
    if [ "$code" -eq 22 ]; then cat "$file.part" >&2; fi
    rm -f "$file.part"
    exit "$code"
}

# A form field, as browsers send files. The answer's format is a parameter.
ocr_to "$document.txt" -F "$field" "$url/ocr?format=text"

# The raw body does as well, and the Accept header. The client waits 30 s at most.
ocr_to "$document.json" --data-binary "@$document" -H 'Accept: application/json' -H 'Prefer: wait=30' "$url/ocr"

# Pages 1 to 3 only.
ocr_to "$document.searchable.pdf" -F "$field" "$url/ocr?format=pdf&pages=1-3"

# Each page as soon as it is read, one line of JSON each; all of them came if the last line is `end`.
ocr --no-buffer -F "$field" -H 'Accept: application/x-ndjson' "$url/ocr" | awk '
    { print; fflush(); last = $0 }
    END { if (index(last, "{\"end\":") != 1) { print "broken off: read the document again" > "/dev/stderr"; exit 1 } }
'
