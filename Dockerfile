# Two images: `api` (the API, Flower, the command line) and `worker` (the sample workers). The packages of others are
# layers of their own, so a change of our code makes a layer of a few MB. docker-compose.yml says which image runs what.
ARG PYTHON_IMAGE=python:3.13-slim-trixie


# -- what builds: uv, hatchling and Node, in the versions of the lock, each with the hash it has there.

FROM ${PYTHON_IMAGE} AS tools

# Where another package index or certificate is needed (all optional): pip's, uv's and npm's own variables.
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
ARG NPM_CONFIG_REGISTRY
ENV UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never \
    PATH=/uv/bin:$PATH
WORKDIR /build
COPY requirements.txt ./
RUN python3 -m venv /uv \
    && sed -n '/^uv==/,/[^\\]$/p' requirements.txt > uv.txt \
    && /uv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --no-deps --require-hashes -r uv.txt
RUN --mount=type=cache,target=/root/.cache/uv \
    uv venv --quiet --python "$(command -v python3)" /tools \
    && printf 'hatchling\nnodejs-wheel-binaries\n' \
        | uv pip compile --quiet --no-header --no-annotate --constraint requirements.txt - --output-file tools.txt \
    && VIRTUAL_ENV=/tools uv pip install --quiet --require-hashes --constraint requirements.txt --requirement tools.txt

# The part of the lock that runs: the versions that the extras need. What is not in the lock is refused.
FROM tools AS locked
COPY pyproject.toml ./
RUN --mount=type=cache,target=/root/.cache/uv \
    for image in api:'--extra server --extra flower --extra gcp --extra otel' worker:'--extra gcp --extra workers --extra otel'; do \
        uv pip compile --quiet --no-header --no-annotate --constraint requirements.txt \
            ${image#*:} pyproject.toml --output-file "${image%%:*}.txt" || exit; \
    done

FROM tools AS page
COPY web/package.json web/package-lock.json web/.npmrc web/toolchain.py web/
RUN --mount=type=cache,target=/root/.npm \
    cd web && /tools/bin/python -c 'import toolchain; toolchain.install()'
COPY web/ web/
RUN --mount=type=cache,target=/root/.npm /tools/bin/python web/toolchain.py build


# -- what runs: packages of others, without pip and uv. Nobody who runs it may write bytecode, so that is made here.

FROM ${PYTHON_IMAGE} AS packages
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
# A volume that is made for one of these folders belongs to whom the folder does.
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin jobtracker \
    && install --directory --owner jobtracker --group jobtracker --mode 0700 /objects /results /spool /scratch
# glibc gives threads heaps of their own and keeps freed memory there. Python runs one thread at a time: two are enough.
ENV PATH=/opt/library/bin:/opt/jobtracker/bin:$PATH \
    MALLOC_ARENA_MAX=2 \
    PYTHONUNBUFFERED=1
WORKDIR /app
RUN --mount=type=bind,from=tools,source=/uv,target=/uv \
    --mount=type=bind,from=locked,source=/build/requirements.txt,target=/lock/requirements.txt \
    --mount=type=bind,from=locked,source=/build/api.txt,target=/lock/api.txt \
    --mount=type=cache,target=/root/.cache/uv \
    export UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV=/opt/jobtracker \
    && /uv/bin/uv venv --quiet --python "$(command -v python3)" "$VIRTUAL_ENV" \
    && /uv/bin/uv pip install --quiet --compile-bytecode --require-hashes \
        --constraint /lock/requirements.txt --requirement /lock/api.txt \
    && echo /opt/library > "$(echo "$VIRTUAL_ENV"/lib/python3*/site-packages)/library.pth"

FROM packages AS worker-packages
RUN --mount=type=bind,from=tools,source=/uv,target=/uv \
    --mount=type=bind,from=locked,source=/build/requirements.txt,target=/lock/requirements.txt \
    --mount=type=bind,from=locked,source=/build/worker.txt,target=/lock/worker.txt \
    --mount=type=cache,target=/root/.cache/uv \
    export UV_LINK_MODE=copy VIRTUAL_ENV=/opt/jobtracker \
    && /uv/bin/uv pip install --quiet --require-hashes \
        --constraint /lock/requirements.txt --requirement /lock/worker.txt \
    && { python -m compileall -qq -j 0 "$VIRTUAL_ENV"/lib/python3*/site-packages || true; }


# -- our code. Times of files do not matter to its bytecode.

# The command `jobtracker`, and what the distribution says of itself: they need the package's name, not its content.
FROM packages AS distribution
WORKDIR /build
COPY LICENSE NOTICE README.md pyproject.toml ./
COPY web/toolchain.py web/
COPY jobtracker/__init__.py jobtracker/
RUN --mount=type=bind,from=tools,source=/uv,target=/uv --mount=type=bind,from=tools,source=/tools,target=/tools \
    HATCH_BUILD_NO_HOOKS=true /tools/bin/hatchling build --target wheel --directory dist > /dev/null \
    && /uv/bin/uv pip install --quiet --no-deps --python /opt/jobtracker/bin/python --target /opt/library dist/*.whl \
    && rm -r /opt/library/jobtracker

FROM packages AS applications
COPY api/ api/
COPY workers/ workers/
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash . && chmod -R a+rX .

# The rooms at the top are a layer of their own.
FROM packages AS library
WORKDIR /opt/library
COPY jobtracker/ jobtracker/
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash . && chmod -R a+rX . \
    && mkdir /top && mv jobtracker/cli jobtracker/server jobtracker/testing /top

FROM worker-packages AS worker
COPY --from=distribution /opt/library /opt/library
COPY --from=page /build/jobtracker/server/page /opt/library/jobtracker/server/page
COPY --from=applications /app/workers workers
COPY --from=library /opt/library /opt/library
COPY --from=library /top /opt/library/jobtracker
USER 10001:10001
CMD ["python", "-m", "workers", "--loglevel", "INFO"]
ARG JOBTRACKER_VERSION
ARG JOBTRACKER_REVISION
ARG JOBTRACKER_SOURCE
LABEL org.opencontainers.image.title="jobtracker-worker" \
      org.opencontainers.image.description="The sample workers of jobtracker" \
      org.opencontainers.image.version="$JOBTRACKER_VERSION" \
      org.opencontainers.image.revision="$JOBTRACKER_REVISION" \
      org.opencontainers.image.source="$JOBTRACKER_SOURCE" \
      org.opencontainers.image.licenses="MIT" \
      jobtracker.image="worker"

FROM packages AS api
COPY --from=distribution /opt/library /opt/library
COPY --from=page /build/jobtracker/server/page /opt/library/jobtracker/server/page
COPY --from=applications /app/api api
COPY --from=library /opt/library /opt/library
COPY --from=library /top /opt/library/jobtracker
USER 10001:10001
CMD ["python", "-m", "api.main"]
ARG JOBTRACKER_VERSION
ARG JOBTRACKER_REVISION
ARG JOBTRACKER_SOURCE
LABEL org.opencontainers.image.title="jobtracker" \
      org.opencontainers.image.description="The API of jobtracker, its command line, and Flower" \
      org.opencontainers.image.version="$JOBTRACKER_VERSION" \
      org.opencontainers.image.revision="$JOBTRACKER_REVISION" \
      org.opencontainers.image.source="$JOBTRACKER_SOURCE" \
      org.opencontainers.image.licenses="MIT" \
      jobtracker.image="api"
