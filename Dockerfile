# MedAssist as a static binary in an otherwise empty image, run by an unprivileged
# user. `docker build --target broker .` builds an image of the broker alone.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=container
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.release=${VERSION}" -o /out/medassist ./cmd/medassist \
    && mkdir /out/data && cp /etc/ssl/certs/ca-certificates.crt /out/

FROM scratch AS app
COPY --from=build /out/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/medassist /
COPY --from=build --chown=65532:65532 /out/data /data
ENV MEDASSIST_ADDR=0.0.0.0:5000 \
    MEDASSIST_DATA=/data
VOLUME /data
EXPOSE 5000
USER 65532:65532
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s CMD ["/medassist", "healthcheck"]
ENTRYPOINT ["/medassist"]

FROM app AS broker
ENV MEDASSIST_BROKER_ADDR=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s CMD ["/medassist", "healthcheck", "--broker"]
CMD ["broker"]

FROM app
