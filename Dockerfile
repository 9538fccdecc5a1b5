# Two images from one lock. `component` runs the steps and has no Airflow; `airflow` runs Airflow
# with the DAGs and has no JAX. `make images` builds both as phoenix:latest and phoenix-airflow:latest.
#
# Behind a proxy, pass its certificates and the installer's settings as build secrets, which leave
# nothing in the image: --secret id=ca_bundle,src=FILE and --secret id=installer_env,src=FILE, the
# latter with lines such as UV_INDEX_URL=... and PIP_INDEX_URL=...
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS installer
WORKDIR /build
COPY .ci/install_locked .ci/in_image .ci/
COPY pyproject.toml requirements.lock ./
ENV UV_LINK_MODE=copy UV_CACHE_DIR=/var/cache/uv
RUN --mount=type=secret,id=ca_bundle --mount=type=secret,id=installer_env \
    python3 -m venv /opt/installer && .ci/in_image .ci/install_locked /opt/installer --quiet uv
ENV PATH=/opt/installer/bin:$PATH
RUN python3 -m venv --without-pip /opt/phoenix

FROM installer AS component-packages
RUN --mount=type=secret,id=ca_bundle --mount=type=secret,id=installer_env \
    --mount=type=cache,target=/var/cache/uv \
    .ci/in_image .ci/install_locked /opt/phoenix --requirement pyproject.toml

FROM installer AS airflow-packages
RUN --mount=type=secret,id=ca_bundle --mount=type=secret,id=installer_env \
    --mount=type=cache,target=/var/cache/uv \
    python3 -c 'import pathlib, tomllib; \
project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]; \
print(*project["optional-dependencies"]["airflow"], sep="\n")' >airflow.in && \
    .ci/in_image .ci/install_locked /opt/phoenix --requirement airflow.in

FROM ${PYTHON_IMAGE} AS runtime
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp phoenix
ENV PATH=/opt/phoenix/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1

FROM runtime AS component
COPY --from=component-packages /opt/phoenix /opt/phoenix
COPY schemas /app/schemas
COPY phoenix /app/phoenix
COPY components /app/components
RUN python -m compileall -q /app
ENV GX_ANALYTICS_ENABLED=false HOME=/tmp
USER 10001:10001
WORKDIR /data
# `docker run IMAGE -m components.<step> --config FILE --day DAY`; -P keeps /data off the module path.
ENTRYPOINT ["python", "-P"]

FROM runtime AS airflow
COPY --from=airflow-packages /opt/phoenix /opt/phoenix
COPY components/__init__.py components/contract.py /app/components/
COPY dags /app/dags
RUN python -m compileall -q /app && install --directory --owner=10001 --group=10001 /opt/airflow
ENV AIRFLOW_HOME=/opt/airflow AIRFLOW__CORE__DAGS_FOLDER=/app/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/app/dags/plugins AIRFLOW__CORE__LOAD_EXAMPLES=False
USER 10001:10001
WORKDIR /opt/airflow
ENTRYPOINT ["airflow"]
