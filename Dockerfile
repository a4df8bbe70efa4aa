# The image of execwire. Owns what is inside a container; knows nothing of clusters or balancers (deploy/).
#
#   docker build -t execwire .
#   docker build --build-arg BASE_IMAGE=node:24-bookworm-slim@sha256:… -t execwire .    (a pinned base)
#
# The base needs glibc (the prebuilt native parts of node-pty and koffi) and a shell (what clients run), so it is not distroless.
ARG BASE_IMAGE=node:24-bookworm-slim

# ---- tini alone, so that apt leaves nothing in the final image ----
FROM ${BASE_IMAGE} AS init
RUN apt-get update \
 && apt-get install -y --no-install-recommends tini \
 && rm -rf /var/lib/apt/lists/*

# ---- build: development dependencies stay in this stage ----
FROM ${BASE_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
COPY client/package.json client/
# No install script is needed: node-pty and koffi ship Linux binaries.
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build \
 && npm prune --omit=dev --ignore-scripts \
 && rm -f node_modules/execwire-client
# Removes native parts for other systems, which are half of koffi, and what `npm prune` leaves of folders; checks that both packages still load.
RUN platform="$(node -p 'process.platform + "-" + process.arch')" \
 && libc="$(node -p 'process.platform + "_" + process.arch')" \
 && find dist/prebuilds -mindepth 1 -maxdepth 1 ! -name "${platform}" -exec rm -rf {} + \
 && find node_modules/@koromix -mindepth 1 -maxdepth 1 ! -name "koffi-${platform}" -exec rm -rf {} + \
 && find node_modules/@koromix/koffi-* -mindepth 1 -maxdepth 1 -type d ! -name "${libc}" -exec rm -rf {} + \
 && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete \
 && rm -rf node_modules/koffi/vendor node_modules/koffi/lib node_modules/koffi/doc \
 && find node_modules -type d -empty -delete \
 && node -e 'require("koffi"); require(`./dist/prebuilds/${process.platform}-${process.arch}/pty.node`)' \
 && node dist/execwire.cjs --version \
 && chmod 755 dist/execwire.cjs

# ---- what runs ----
FROM ${BASE_IMAGE}
# Removes package managers, and set-user-id bits, because a command must not gain rights that the server does not have. /workspace is open to every user:
# a tmpfs that is mounted there gets its mode, and the container may run as any user (`--user`, OpenShift).
RUN rm -rf /usr/local/lib/node_modules /usr/local/include/node /opt/yarn-v* \
           /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn /usr/local/bin/yarnpkg \
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
 && install -d -o 1000 -g 1000 -m 1777 /workspace \
 && ln -s /opt/execwire/dist/execwire.cjs /usr/local/bin/execwire
COPY --from=init /usr/bin/tini /usr/bin/tini
COPY --from=build /src/node_modules /opt/execwire/node_modules
COPY --from=build /src/package.json /opt/execwire/package.json
COPY --from=build /src/dist /opt/execwire/dist
# NODE_ENV stays unset on purpose: commands inherit the environment, and `npm install` in a workspace would skip their devDependencies.
# The address is a variable: arguments of `docker run` then leave it as it is, `-e` changes it, and the health check knows it.
ENV HOME=/workspace \
    EXECWIRE_LISTEN=ws://0.0.0.0:8080
WORKDIR /workspace
USER 1000:1000
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
  CMD ["execwire", "health"]
# tini reaps orphans and passes SIGTERM to node alone. Never `tini -g`: it would signal the running commands too, at the start of a drain.
ENTRYPOINT ["/usr/bin/tini", "-s", "--", "node", "/opt/execwire/dist/execwire.cjs"]
# A listener that is not on loopback refuses to start without credentials: give --ws-auth … (docs/deploy.md).
CMD ["serve"]
# LAST: a new revision then makes no layer new.
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="execwire" \
      org.opencontainers.image.description="Runs commands and terminals for remote programs: JSON-RPC 2.0 over WebSocket" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="docker.io/library/node:24-bookworm-slim"
