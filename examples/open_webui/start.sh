#!/bin/sh -eu
# Open WebUI with the runnables of a Gatehouse as its models, for each of its users as who they are.
#
# GATEHOUSE_URL=… GATEHOUSE_API_KEY=gh_… GATEHOUSE_OPENWEBUI_JWT_SECRET=… sh start.sh open-webui serve --port 8080

export OPENAI_API_BASE_URL="$GATEHOUSE_URL/v1"
export OPENAI_API_KEY="$GATEHOUSE_API_KEY" # with the scope users:forward
export OPENAI_API_CONFIGS='{"0": {"enable": true, "headers": {
  "x-thread-id": "{{CHAT_ID}}", "x-openwebui-task": "{{TASK}}"
}}}'

# who asks is signed, and not to be made up
export ENABLE_FORWARD_USER_INFO_HEADERS=true
export FORWARD_USER_INFO_HEADER_JWT_SECRET="$GATEHOUSE_OPENWEBUI_JWT_SECRET"

# a runnable has tools of its own, and refuses those of a client
export DEFAULT_MODEL_METADATA='{"capabilities": {"builtin_tools": false}}'

export ENABLE_OLLAMA_API=false
export BYPASS_MODEL_ACCESS_CONTROL=true # Gatehouse says who may use what

exec "$@"
