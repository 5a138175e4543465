# Hector as one image. Which role a container plays is its command: see compose.yaml.
#   docker build -t hector .
#   docker run -p 8080:8080 -v hector:/var/lib/hector hector

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements requirements
RUN python -m venv --without-pip /opt/hector \
    && pip install --require-hashes -r requirements/build.txt \
    && pip --python /opt/hector/bin/python install --no-compile --require-hashes -r requirements/run.txt
COPY . .
# Unchecked bytecode: nothing is compiled, nor any source's time looked at, when a container starts.
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels ./plugins . \
    && pip --python /opt/hector/bin/python install --no-compile --no-deps --no-index /wheels/*.whl \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/hector/lib

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/hector hector
COPY --from=build /opt/hector /opt/hector
# A server that listens beyond loopback asks for the admin secret, which it prints once, when it first starts.
ENV PATH=/opt/hector/bin:$PATH HECTOR_HOST=0.0.0.0 PYTHONUNBUFFERED=1
# hector.yaml is looked for here, and .hector/ (the database) is written here: mount a volume.
WORKDIR /var/lib/hector
USER 10001
EXPOSE 8080 50051
HEALTHCHECK --start-period=20s --interval=10s --timeout=5s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/live', timeout=4)"]
ENTRYPOINT ["hector"]
CMD ["serve"]
