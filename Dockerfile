# The image of a service:  docker build --build-arg SERVICE=auth .
# The image of the sandbox: docker build --build-arg SERVICE=sandbox --target sandbox .

FROM python:3.13-slim AS packages
ARG SERVICE
COPY requirements/${SERVICE}.txt /requirements.txt
RUN python -m venv --without-pip /venv \
 && pip --python /venv/bin/python install --no-cache-dir --require-hashes --only-binary :all: -r /requirements.txt

FROM python:3.13-slim AS runtime
ARG SERVICE
RUN groupadd --gid 10001 shop \
 && useradd --uid 10001 --gid shop --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin shop
COPY --from=packages /venv /venv
COPY deploy/healthcheck.py /healthcheck.py
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 SERVICE=${SERVICE}
WORKDIR /app
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-IS", "/healthcheck.py"]

FROM runtime AS sandbox
COPY sandbox/ sandbox/
RUN python -m compileall -q . && install -d -o shop -g shop /data
ENV SANDBOX_HOST=0.0.0.0 SANDBOX_DATABASE=/data/sandbox.sqlite
VOLUME /data
EXPOSE 8010
USER 10001:10001
ENTRYPOINT ["python", "-m", "sandbox"]

FROM runtime AS service
ARG SERVICE
COPY contracts/ contracts/
COPY kit/ kit/
COPY services/__init__.py services/
COPY services/${SERVICE}/ services/${SERVICE}/
# An exec-form ENTRYPOINT cannot contain the build argument, so it calls this script. `exec` makes Python receive the signals.
RUN python -m compileall -q . \
 && printf '#!/bin/sh\nexec python -m services.%s "$@"\n' "${SERVICE}" > /usr/local/bin/service \
 && chmod 755 /usr/local/bin/service
ENV HTTP_HOST=0.0.0.0
USER 10001:10001
ENTRYPOINT ["service"]
CMD ["serve"]
