FROM golang:1.26 AS build
COPY . /src
RUN cd /src && CGO_ENABLED=0 go build -trimpath -ldflags=-s -o /holdfast ./cmd/holdfast
FROM scratch
COPY --from=build /holdfast /holdfast
ENTRYPOINT ["/holdfast"]
CMD ["serve", "--data", "/data", "--listen", "0.0.0.0:9092", "--http", "0.0.0.0:9094"]
