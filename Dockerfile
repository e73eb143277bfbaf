# Builds and runs Tidegate: docker build -t tidegate . && docker run --network host tidegate
#
# Without keys the server answers this machine only, so it binds 127.0.0.1 and needs the host's network. The build step is the
# Makefile's, with the committed lock file; nothing is fetched when the container runs.

FROM node:22-bookworm-slim AS console
WORKDIR /source
COPY web web
COPY docs/openapi.json docs/openapi.json
RUN cd web && npm ci --no-audit --no-fund && npm run build && touch node_modules/.package-lock.json dist/site/index.html

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
# Newer than its sources, so that make takes it as it is.
COPY --from=console /source/web/dist web/dist
COPY --from=console /source/web/node_modules/.package-lock.json web/node_modules/.package-lock.json
RUN make dist

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/tidegate tidegate
COPY --from=build /source/target/dist/tidegate /usr/local/bin/tidegate
RUN ln -s tidegate /usr/local/bin/n3
USER tidegate
WORKDIR /var/lib/tidegate
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["tidegate", "health"]
ENTRYPOINT ["tidegate"]
CMD ["serve"]
