# docker build -t casewright .
# docker run -p 8080:8080 -v casewright:/var/lib/casewright \
#     -e ALERTMANAGER_TOKEN=... -e PAGERDUTY_SECRET=... casewright
#
# Put your own casewright.yaml, rules and templates over /etc/casewright.

FROM rust:1.95-bookworm AS builder
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin casewright

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/casewright --shell /usr/sbin/nologin casewright \
    && install -d -m 0700 -o casewright -g casewright /var/lib/casewright
COPY --from=builder /src/target/release/casewright /usr/bin/casewright
COPY packaging/casewright.yaml /etc/casewright/casewright.yaml
COPY config/rules /etc/casewright/rules
COPY templates /etc/casewright/templates
# The administration listener stays on the container's own loopback: it speaks no TLS.
# `docker exec NAME casewright actions list` reaches it.
ENV CASEWRIGHT_CONFIG=/etc/casewright/casewright.yaml \
    CASEWRIGHT_LISTEN=0.0.0.0:8080
USER casewright
WORKDIR /var/lib/casewright
VOLUME /var/lib/casewright
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["casewright"]
CMD ["serve"]
