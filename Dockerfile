FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN node servers/bootstrap.mjs --build \
  && npm prune --omit=dev \
  && rm -rf dist/test dist/bench dist/evals dist/.*

FROM node:22-bookworm-slim
ENV NODE_ENV=production NODE_OPTIONS=--enable-source-maps
WORKDIR /app
# Temporal's client verifies certificates with the roots of the system.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/bin bin
COPY --from=build /app/dist dist
COPY --from=build /app/agents agents
USER node
EXPOSE 2024
ENTRYPOINT ["node", "/app/bin/colloquy.mjs"]
CMD ["--help"]
