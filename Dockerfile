# The operator (`run`, the default) and the prober (`prober`) in one image: no shell tricks, no root, nothing to write.
#
# Pin by digest where that is wanted: --build-arg PYTHON_IMAGE=python:3.13-slim-bookworm@sha256:…
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG UV_VERSION=0.13.9
RUN pip install --no-cache-dir --disable-pip-version-check "uv==${UV_VERSION}"
# Bytecode is compiled here: the running container has a read-only file system. Copies, because the cache stays behind.
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /app
# The dependencies are a layer of their own, so a change in our code does not install them again.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --extra otel --no-install-project
COPY README.md LICENSE ./
COPY operator operator
COPY lab lab
RUN uv sync --frozen --no-dev --extra otel --no-editable

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="redis-connectivity" \
      org.opencontainers.image.licenses="Apache-2.0"
# A number, so that Kubernetes can check runAsNonRoot without a look into /etc/passwd.
USER 65532:65532
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY --from=build /app/.venv /app/.venv
# Health and metrics of the operator.
EXPOSE 8081
ENTRYPOINT ["redis-connectivity"]
CMD ["run"]
