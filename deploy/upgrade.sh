#!/bin/sh
# Replaces the API, the workers and Flower by containers of the images that are there now (`make upgrade`), or, with the
# argument `rollback`, by those of the images before (`make rollback`).
#
# One after the other: a new container comes first, and the old one goes when the new one is healthy. The service
# `listener` keeps the port, so no request is refused. A worker is drained before it is stopped; what has not ended
# after WORKER_DRAIN_S goes back to its queue.
set -eu

# What a variable is in the environment or, as for Compose, in the file .env.
setting() {
    value=$(eval "echo \"\${$1:-}\"")
    if [ -z "$value" ] && [ "${COMPOSE_ENV_FILES:-.env}" = .env ]; then
        value=$(sed -n "s/^$1=//p" .env 2> /dev/null | tail -n 1)
    fi
    echo "${value:-$2}"
}

image=$(setting JOBTRACKER_IMAGE jobtracker)
tag=$(setting JOBTRACKER_TAG latest)
drain_s=$(setting WORKER_DRAIN_S 600)
key_id=

compose() { ${COMPOSE:-docker compose} "$@"; }
containers() { compose ps --quiet --status running "$1"; }
count() { containers "$1" | wc -l | tr -d ' '; }
say() { echo "upgrade: $*"; }

# The image of a container that runs, if another one has its name now, is kept as `previous`.
keep_previous() {
    for container in $(containers "$1" | head -n 1); do
        runs=$(docker inspect --format '{{.Image}}' "$container")
        new=$(docker image inspect --format '{{.Id}}' "$2:$tag")
        if [ "$runs" != "$new" ]; then docker tag "$runs" "$2:previous"; fi
    done
}

# Starts one container more of a service; its id is in $added.
add_one() {
    before=$(containers "$1")
    compose up --detach --no-deps --no-recreate --no-build --wait --scale "$1=$(($(count "$1") + 1))" "$1" \
        > /dev/null 2>&1 && is_healthy=yes || is_healthy=
    added=
    for container in $(compose ps --all --quiet "$1"); do
        case "$before" in *"$container"*) ;; *) added=$container ;; esac
    done
    if [ -z "$is_healthy" ] || [ -z "$added" ]; then
        if [ -n "$added" ]; then
            docker logs --tail 20 "$added" >&2
            docker rm --force --volumes "$added" > /dev/null
        fi
        say "the new container of $1 is not healthy: the lines above may say why. The old ones go on." >&2
        exit 1
    fi
}

remove() { docker stop "$1" > /dev/null && docker rm --volumes "$1" > /dev/null; }

# Where only keys are let in, draining needs one for as long as it takes.
make_key() {
    [ "$(docker exec "$1" jobtracker keys list --json | tr -d '[:space:]')" = "[]" ] \
        && [ -z "$(docker exec "$1" sh -c 'echo $API_OIDC_ISSUER$API_TRUSTED_PROXIES')" ] && return
    made=$(docker exec "$1" jobtracker keys create --owner upgrade --role operator --expires 24h --json)
    key_id=$(echo "$made" | sed -n 's/.*"id": *"\([^"]*\)".*/\1/p' | head -n 1)
    JOBTRACKER_API_KEY=$(echo "$made" | sed -n 's/.*"key": *"\([^"]*\)".*/\1/p' | head -n 1)
    export JOBTRACKER_API_KEY
}

drop_key() {
    if [ -n "$key_id" ]; then docker exec "$api" jobtracker keys revoke --forget "$key_id" > /dev/null; fi
}

if [ "$(count api)" = 0 ] || [ "$(count listener)" = 0 ]; then
    say "the API does not run: start it by make run" >&2
    exit 1
fi
if [ "${1:-}" = rollback ]; then
    for each in "$image" "$image-worker"; do
        docker image inspect "$each:previous" > /dev/null 2>&1 || { say "there is no $each:previous" >&2; exit 1; }
    done
    for each in "$image" "$image-worker"; do docker tag "$each:previous" "$each:$tag"; done
fi
compose run --rm -T --no-deps settings
keep_previous api "$image"
keep_previous worker "$image-worker"

for old in $(containers api); do
    add_one api
    remove "$old"
    say "the API $(echo "$old" | cut -c 1-12) is replaced by $(echo "$added" | cut -c 1-12)"
done

api=$(containers api | head -n 1)
trap drop_key EXIT
make_key "$api"
for old in $(containers worker); do
    add_one worker
    name=$(echo "$old" | cut -c 1-12)
    docker exec --env JOBTRACKER_API_KEY "$api" \
        jobtracker drain --wait --timeout "$drain_s" "celery@$name" > /dev/null \
        || say "the worker $name is stopped although it is not drained: its tasks go back to their queue"
    remove "$old"
    say "the worker $name is replaced by $(echo "$added" | cut -c 1-12)"
done

if [ "$(count flower)" != 0 ]; then
    compose up --detach --no-deps --no-build --wait flower > /dev/null 2>&1
    say "Flower is replaced"
fi
