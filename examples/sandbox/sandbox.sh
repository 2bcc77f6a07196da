#!/bin/sh
# Use the sandbox over HTTP alone: what a program in any language does, with curl.
#
#   marketingblocks sandbox --port 8080 &
#   sh examples/sandbox/sandbox.sh http://127.0.0.1:8080
set -eu

root=${1:-http://127.0.0.1:8080}
token=${2:-sandbox-token}

control() {
  curl --silent --show-error --fail --header 'Content-Type: application/json' "$@"
}

create_post() {
  curl --silent --show-error --request POST "$root/api/v1/social-sparks/create-post" \
    --header "Authorization: Bearer $token" --header 'Content-Type: application/json' \
    --data "{\"channel_type\": \"facebook\", \"channel_id\": 1, \"post_type\": \"post\",
             \"caption_text\": \"$1\", \"media_urls\": [], \"publish_mode\": \"now\"}"
}

# Start anew, and lose the response to the next post although it is carried out.
control --request POST "$root/_sandbox/reset" --data '{}' > /dev/null
control "$root/_sandbox/faults" --data '{"kind": "commit_then_drop", "endpoint": "create-post", "times": 1}' > /dev/null

if create_post 'We are open' 2> /dev/null; then
  echo 'the response should have been lost' >&2
  exit 1
fi
echo 'no response: the post may have been published'

# A careless program sends it again. The ledger shows what that does.
create_post 'We are open' > /dev/null
control "$root/_sandbox/compare" --data '{"expected": ["We are open"]}'
echo
control "$root/_sandbox/ledger"
echo
