# MedAssist as a static binary in an otherwise empty image, run by an unprivileged user.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=container
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.release=${VERSION}" -o /out/medassist ./cmd/medassist \
    && mkdir /out/data

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/medassist /medassist
COPY --from=build --chown=nonroot:nonroot /out/data /data
ENV MEDASSIST_ADDR=0.0.0.0:5000 \
    MEDASSIST_DATA=/data
VOLUME /data
EXPOSE 5000
USER nonroot
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s CMD ["/medassist", "healthcheck"]
ENTRYPOINT ["/medassist"]
