# livemon in a container, as a user without rights and without build tools:
#   docker build -t livemon . && docker run --network host -v livemon:/data livemon
# BASE is any image with Python 3.11 or newer, its venv module, and glibc.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
WORKDIR /src
RUN python3 -m venv /build && python3 -m venv --without-pip /opt/livemon
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_REQUIRE_VIRTUALENV=1
COPY requirements.txt requirements-build.txt ./
RUN /build/bin/pip install --quiet --require-hashes --only-binary :all: -r requirements-build.txt \
 && /build/bin/pip --python /opt/livemon/bin/python install --quiet --require-hashes --only-binary :all: -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY livemon livemon
COPY pages pages
COPY components components
COPY runtime runtime
RUN /build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels . ./runtime \
 && /build/bin/pip --python /opt/livemon/bin/python install --quiet --no-deps /wheels/*.whl

FROM ${BASE}
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin livemon \
 && install -d -o livemon -g livemon -m 0700 /data
COPY --from=build /opt/livemon /opt/livemon
COPY scripts/container_health.py /opt/livemon/container_health.py
ENV PATH=/opt/livemon/bin:$PATH PYTHONUNBUFFERED=1 LIVEMON_HOST=0.0.0.0 LIVEMON_DATA_DIR=/data
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["python3", "/opt/livemon/container_health.py"]
ENTRYPOINT ["livemon"]
