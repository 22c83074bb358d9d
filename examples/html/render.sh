#!/bin/sh
# Render a text by curl alone: start, follow the progress until the end, download.
#   sh render.sh "Hello" hello.mp4
# The responses of the server are written to standard error.
set -eu
api="${RENDERCAST_URL:-http://127.0.0.1:8000}/graphql"
text="${1:?usage: sh render.sh TEXT FILE}"
file="${2:?usage: sh render.sh TEXT FILE}"

# Prints the response to a JSON body, which is the first argument. More arguments are given to curl.
send() {
    body="$1"
    shift
    curl --fail-with-body --silent --show-error --max-time 600 "$@" "$api" -H 'Content-Type: application/json' --data-raw "$body"
}

# Prints the field $1 of the response $2. Fails if the response has none, because it is an error.
field() {
    printf '%s\n' "$2" >&2
    printf '%s\n' "$2" | sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p' | grep .
}

# JSON needs escapes for backslashes, quotes, tabs and the ends of lines.
escaped="$(printf '%s\n' "$text" | sed 's/\\/\\\\/g; s/"/\\"/g' | awk '{ gsub(/\t/, "\\t"); printf "%s%s", end, $0; end = "\\n" }')"
started="$(send '{"query": "mutation ($text: String!) { startRender(input: {animationProps: {text: $text}}) { ... on StartRenderSuccess { render { id } } ... on UserError { message } } }",
    "variables": {"text": "'"$escaped"'"}}')" || true
id="$(field id "$started")"
send '{"query": "subscription { renderProgress(renderId: \"'"$id"'\") { status progress } }"}' --no-buffer -H 'Accept: text/event-stream' >&2
link="$(send '{"query": "mutation { refreshDownloadUrl(renderId: \"'"$id"'\") { ... on DownloadUrl { url } ... on UserError { message } } }"}')" || true
url="$(field url "$link")"
curl --fail --silent --show-error --max-time 600 --output "$file" "$url"
