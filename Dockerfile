# Builds with docker buildx, podman and buildah alike:
#
#   docker build -t gatehouse:0.2.0 --target gatehouse .            # the package alone: projects build FROM it
#   docker build -t gatehouse-demonstration:0.2.0 .                 # the demonstration on it: app/, chains/, tools/
#   docker build -t gatehouse:dev --build-arg EMBEDDED_MODEL=1 .    # that, with the small model inside
#
# Behind a package mirror, hand in its configuration; no layer keeps it:
#
#   --secret id=pipconf,src=pip.conf  --secret id=npmrc,src=.npmrc  --secret id=ca,src=ca-bundle.pem
ARG BASE_IMAGE=docker.io/library/python:3.12-slim
# The same Python at the same path, with binutils
ARG BUILD_IMAGE=docker.io/library/python:3.12
ARG NODE_IMAGE=docker.io/library/node:22-slim


FROM ${NODE_IMAGE} AS frontend
WORKDIR /build/frontend
COPY frontend/package.json frontend/package-lock.json ./
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=secret,id=ca,target=/run/secrets/ca \
    if [ -f /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi; \
    npm ci --no-audit --no-fund --loglevel=error
COPY frontend ./
RUN npm run build -- --logLevel=warn


FROM ${BUILD_IMAGE} AS packages
ARG EMBEDDED_MODEL=
WORKDIR /build
# pip stays in this stage: the environment that is shipped has none
RUN python3 -m venv installer && python3 -m venv --without-pip /opt/gatehouse
COPY requirements/*.txt requirements/
# --no-deps because the lock files are complete (docs/adr/0004)
RUN --mount=type=secret,id=pipconf,target=/etc/pip.conf --mount=type=secret,id=ca,target=/run/secrets/ca \
    if [ -f /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_QUIET=1; \
    installer/bin/pip --python /opt/gatehouse/bin/python install --no-deps --no-compile --require-hashes \
      -r requirements/runtime.txt ${EMBEDDED_MODEL:+-r requirements/embedded.txt} \
    && installer/bin/pip install --no-deps --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE THIRD_PARTY_NOTICES.md ./
COPY k8s k8s
COPY src src
COPY --from=frontend /build/src/gatehouse/web/client src/gatehouse/web/client
# llama.cpp needs the OpenMP runtime, which a slim base does not have: that of this stage goes with it.
# What no run needs goes: stubs, the packages' own tests (of ours, those that `gatehouse new` writes stay), debugging
# symbols (50 MB). The modules of repaired wheels (*.libs) stay as they are, which strip may break. Byte code is not
# compared with its source, whose times no layer keeps. direct_url.json says that Gatehouse came from a file, which
# `gatehouse new` would pass on. In the end everything is imported once.
RUN installer/bin/pip wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir wheels . \
    && installer/bin/pip --python /opt/gatehouse/bin/python install --quiet --no-deps --no-compile --no-index \
      wheels/*.whl \
    && rm /opt/gatehouse/lib/python*/site-packages/gatehouse_server-*.dist-info/direct_url.json \
    && cd /opt/gatehouse/lib \
    && find . -name '*.pyi' -delete \
    && find . -type d -path '*/site-packages/*' -not -path '*/site-packages/gatehouse/*' -name tests -prune \
      -exec rm -r {} + \
    && if [ -n "${EMBEDDED_MODEL}" ]; then cp -L /usr/lib/*-linux-gnu/libgomp.so.1 .; fi \
    && find . -name '*.so' -size +500k -not -path '*.libs/*' -exec strip --strip-debug {} + \
    && /opt/gatehouse/bin/python -m compileall -q --invalidation-mode unchecked-hash . \
    && /opt/gatehouse/bin/python -m gatehouse.cli.openapi >/dev/null


FROM ${BASE_IMAGE} AS gatehouse
ARG VERSION=0.2.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Gatehouse" \
      org.opencontainers.image.description="Serves LangChain runnables to the authenticated user" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN groupadd --gid 10001 gatehouse \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin gatehouse \
    && install -d -o 10001 -g 10001 -m 0700 /data && install -d /srv
COPY --from=packages /opt/gatehouse /opt/gatehouse
ENV PATH=/opt/gatehouse/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/data \
    PYTHONPATH=/srv \
    LD_LIBRARY_PATH=/opt/gatehouse/lib \
    GATEHOUSE_HOST=0.0.0.0 \
    GATEHOUSE_DATA_DIR=/data
# Where a project's app/, chains/ and tools/ go
WORKDIR /srv
# A number, so that Kubernetes can tell that it is not root
USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
# No curl and no shell; not `gatehouse` itself, whose settings take 0.4 s of CPU to read
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python3", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ.get('PORT', '8000') + '/readyz', timeout=4)"]
ENTRYPOINT ["gatehouse"]
CMD ["serve"]


# The demonstration
FROM gatehouse
COPY app app
COPY chains chains
COPY tools tools
# A registry that cannot be served fails here
RUN ["gatehouse", "routes"]
