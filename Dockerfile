# The advisor and nothing else: one static binary, no shell, no root. It writes
# no file, so its root file system may be read-only.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd cmd
COPY pkg pkg
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /advisor ./cmd/advisor

FROM scratch
COPY --from=build /advisor /advisor
USER 65534:65534
ENTRYPOINT ["/advisor"]
