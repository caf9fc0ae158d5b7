FROM node:20-slim AS web
WORKDIR /web
COPY web/package.json web/package-lock.json web/.npmrc web/build.mjs ./
RUN npm ci
COPY web ./
RUN npm run build

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=web /web/dist web/dist
RUN CGO_ENABLED=0 go build -trimpath -ldflags=-s -o /sluice ./cmd/sluice

FROM scratch
COPY --from=build /sluice /sluice
EXPOSE 1935 1936 8080
USER 65534:65534
ENTRYPOINT ["/sluice"]
