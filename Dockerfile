# One image with one executable: `docker run waybill api`, `… worker`, `… migrate`, `… up`.
FROM rust:1.95.0-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1 AS build
WORKDIR /src
COPY . .
# The registry and compiled dependencies survive in the builder's cache, not in the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package waybill \
    && install -D --strip target/release/waybill /out/waybill

FROM debian:bookworm-slim@sha256:7b140f374b289a7c2befc338f42ebe6441b7ea838a042bbd5acbfca6ec875818
# The build image's own, for TLS to databases and stores: no package has to be had here.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/waybill waybill
COPY --from=build /out/waybill /usr/local/bin/waybill
USER waybill
WORKDIR /var/lib/waybill
EXPOSE 8080
# SIGTERM is a graceful stop.
STOPSIGNAL SIGTERM
ENTRYPOINT ["waybill"]
