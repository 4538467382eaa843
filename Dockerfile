# One image with one executable: `docker run waybill api`, `… worker`, `… migrate`, `… up`.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# The registry and compiled dependencies survive in the builder's cache, not in the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package waybill \
    && install -D --strip target/release/waybill /out/waybill

FROM debian:bookworm-slim
# Certificates for TLS to databases and stores; curl for health checks.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/waybill waybill
COPY --from=build /out/waybill /usr/local/bin/waybill
USER waybill
WORKDIR /var/lib/waybill
EXPOSE 8080
# SIGTERM is a graceful stop.
STOPSIGNAL SIGTERM
ENTRYPOINT ["waybill"]
