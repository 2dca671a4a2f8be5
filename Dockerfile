# Vivavoce on the CPU. Build: docker build -t vivavoce:cpu .   Run: see docs/deployment.md

FROM python:3.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/vivavoce
# Dependencies first: this layer stays while only the code changes.
COPY requirements/build.txt requirements/cpu.txt requirements/
RUN /opt/vivavoce/bin/pip install --require-hashes -r requirements/build.txt \
    && /opt/vivavoce/bin/pip install --require-hashes --no-build-isolation -r requirements/cpu.txt
COPY . .
RUN /opt/vivavoce/bin/pip install --no-deps --no-build-isolation .

FROM python:3.12-slim-bookworm
RUN groupadd --gid 10001 vivavoce \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/vivavoce \
        --shell /usr/sbin/nologin vivavoce \
    && install -d -o vivavoce -g vivavoce /var/lib/vivavoce
# Owned by root: the server cannot change its own code.
COPY --from=build /opt/vivavoce /opt/vivavoce
COPY deploy/ready.py /opt/vivavoce/ready.py
# ONNX Runtime 1.29 and later report to their maker over the network unless this is set.
ENV PATH=/opt/vivavoce/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    VIVAVOCE_DATA_DIR=/var/lib/vivavoce
WORKDIR /var/lib/vivavoce
USER 10001:10001
VOLUME /var/lib/vivavoce
# The first start fetches 356 MB of weights; failures in the start period do not count.
HEALTHCHECK --interval=30s --timeout=10s --start-period=15m --start-interval=5s --retries=3 \
    CMD ["python", "/opt/vivavoce/ready.py"]
# No EXPOSE: the server listens on loopback only, so the container shares the host's network.
ENTRYPOINT ["vivavoce"]
CMD ["serve"]
