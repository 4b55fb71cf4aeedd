# The study in a container: `docker build -t tuneprobe .`, then
# `docker run --rm -it -v "$PWD":/work tuneprobe make repro VENV=/opt/tuneprobe`.
FROM python:3.11-slim-bookworm
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /work
COPY Makefile pyproject.toml README.md requirements-build.lock requirements-torch.lock requirements.lock ./
COPY src src
RUN make setup VENV=/opt/tuneprobe
ENV PATH=/opt/tuneprobe/bin:$PATH VENV=/opt/tuneprobe DVC_NO_ANALYTICS=1
RUN git config --system --add safe.directory /work
CMD ["make", "help"]
