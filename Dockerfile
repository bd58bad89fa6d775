# The advisor and nothing else: one static binary, no shell, no root. It writes
# no file, so its root file system may be read-only. To build for several
# platforms and label the image, as a release does:
#
#   docker buildx build --platform linux/amd64,linux/arm64 \
#     --build-arg VERSION=v1.2.3 --build-arg REVISION="$(git rev-parse HEAD)" .
#
# The base image is pinned by digest; dependabot keeps it current.
ARG GO_IMAGE=golang:1.26.8@sha256:0f063af2d465d8dcae54cce04278ada488b96f77b42449c8d071e47d016cc65a

FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd cmd
COPY pkg pkg
ARG TARGETOS
ARG TARGETARCH
ARG VERSION
RUN CGO_ENABLED=0 GOOS="${TARGETOS}" GOARCH="${TARGETARCH}" go build -trimpath \
  -ldflags "-s -w -X github.com/psp-advisor/psp-advisor/cmd/advisor/app.version=${VERSION}" \
  -o /advisor ./cmd/advisor

FROM scratch
COPY --from=build /advisor /advisor
USER 65534:65534
ENTRYPOINT ["/advisor"]
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="psp-advisor" \
  org.opencontainers.image.description="Writes the least-privilege policies that admit exactly the pods of a Kubernetes cluster" \
  org.opencontainers.image.source="https://github.com/psp-advisor/psp-advisor" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
