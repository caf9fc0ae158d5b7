# What is built is for TARGETARCH, and built by the machine's own kind: nothing is emulated.
FROM --platform=$BUILDPLATFORM node:20-slim AS web
WORKDIR /web
COPY web/package.json web/package-lock.json web/.npmrc web/build.mjs ./
RUN npm ci
COPY web ./
RUN npm run build

FROM --platform=$BUILDPLATFORM golang:1.26 AS build
# The image pins its own Go (GOTOOLCHAIN=local), in silence also where go.mod asks for a later one.
ENV GOTOOLCHAIN=auto
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=web /web/dist web/dist
# docker build --build-arg COMMIT=$(git rev-parse HEAD): what `sluice version` tells; .git doesn't come along.
ARG COMMIT=""
ARG TARGETOS TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -ldflags="-s -X main.commit=$COMMIT" -o /sluice ./cmd/sluice
# Where acme.cache is by default, for the user that can make no directory.
RUN mkdir -p /owned/acme

FROM scratch
# Who certifies webhooks, key sets and ACME's authority.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chown=65534:65534 /owned/ /
COPY --from=build /sluice /sluice
EXPOSE 1935 1936 8080
USER 65534:65534
ENTRYPOINT ["/sluice"]
