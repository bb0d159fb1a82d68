# One image for the API, the workers and Flower: which of them it is, the command says (see docker-compose.yml).
ARG PYTHON_IMAGE=python:3.13-slim-trixie


FROM ${PYTHON_IMAGE} AS build

# Where another package index or certificate is needed (all optional): pip's, uv's and npm's own variables.
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
ARG NPM_CONFIG_REGISTRY
ENV UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never

# uv is one of the locked packages, as in the Makefile.
WORKDIR /build
COPY requirements.txt ./
RUN python3 -m venv /uv \
    && sed -n '/^uv==/,/[^\\]$/p' requirements.txt > uv.txt \
    && /uv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --no-deps --require-hashes -r uv.txt

# The part of the lock that runs: the versions that the extras need, each with the hash it has in the lock. What is not
# in the lock is refused. Nobody who runs it may write bytecode, so that is made here.
ENV PATH=/uv/bin:$PATH \
    VIRTUAL_ENV=/opt/jobtracker
COPY pyproject.toml ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv venv --quiet --python "$(command -v python3)" "$VIRTUAL_ENV" \
    && uv pip compile --quiet --no-header --no-annotate --constraint requirements.txt \
        --extra server --extra workers --extra flower --extra gcp pyproject.toml --output-file runtime.txt \
    && uv pip install --quiet --compile-bytecode --require-hashes --constraint requirements.txt \
        --requirement runtime.txt

# The library with its page (web/), and the applications.
COPY web/ web/
COPY LICENSE NOTICE README.md ./
COPY jobtracker/ jobtracker/
COPY api/ /app/api/
COPY workers/ /app/workers/
RUN --mount=type=cache,target=/root/.cache/uv --mount=type=cache,target=/root/.npm \
    uv build --quiet --wheel --build-constraint requirements.txt --require-hashes --out-dir dist \
    && uv pip install --quiet --compile-bytecode --no-deps dist/*.whl \
    && python3 -m compileall -q /app \
    && chmod -R a+rX /app "$VIRTUAL_ENV"


FROM ${PYTHON_IMAGE}

# A volume that is made for one of these folders belongs to whom the folder does.
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin jobtracker \
    && install --directory --owner jobtracker --group jobtracker --mode 0700 /objects /results
COPY --from=build /opt/jobtracker /opt/jobtracker
COPY --from=build /app /app
ENV PATH=/opt/jobtracker/bin:$PATH \
    PYTHONUNBUFFERED=1
WORKDIR /app
USER 10001:10001
CMD ["python", "-m", "api.main"]
