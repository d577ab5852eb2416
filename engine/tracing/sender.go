package tracing

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"os"
	"strings"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// A sender sends spans by OTLP over gRPC, as an otlptrace.Client. It is not
// otlptracegrpc, for a program that has that in it takes compressed messages on all of
// its gRPC servers, and they unpack to far more than is sent.
type sender struct {
	conn    *grpc.ClientConn
	headers metadata.MD
}

// defaultEndpoint is where a collector is by OpenTelemetry's custom.
const defaultEndpoint = "http://localhost:4317"

// newSender makes a sender to a collector's URL, or where the environment says if that
// is empty.
func newSender(endpoint string) (*sender, error) {
	endpoint = cmp.Or(endpoint, os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), defaultEndpoint)
	at, err := url.Parse(endpoint)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return nil, fmt.Errorf("the collector %q is no URL: expected one such as %s", endpoint, defaultEndpoint)
	}
	headers, err := parseHeaders(cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS"), os.Getenv("OTEL_EXPORTER_OTLP_HEADERS")))
	if err != nil {
		return nil, err
	}
	security := insecure.NewCredentials()
	if at.Scheme == "https" {
		security = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
	}
	target := at.Host
	if at.Port() == "" {
		target += ":4317"
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(security))
	if err != nil {
		return nil, err
	}
	return &sender{conn, headers}, nil
}

// parseHeaders reads what OTEL_EXPORTER_OTLP_HEADERS holds: names and values, such as
// a=1,b=2, each value escaped as in a URL. The error does not show it: there are keys in
// such headers.
func parseHeaders(text string) (metadata.MD, error) {
	headers := metadata.MD{}
	for field := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(field) == "" {
			continue
		}
		name, value, both := strings.Cut(field, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !both || name == "" || err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_HEADERS is not of the form name=value,name=value")
		}
		headers.Append(name, value)
	}
	return headers, nil
}

// Start implements otlptrace.Client. The connection is made when there is something to
// send.
func (s *sender) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (s *sender) Stop(context.Context) error { return s.conn.Close() }

// UploadTraces implements otlptrace.Client.
func (s *sender) UploadTraces(ctx context.Context, spans []*tracev1.ResourceSpans) error {
	if len(s.headers) > 0 {
		ctx = metadata.NewOutgoingContext(ctx, s.headers)
	}
	_, err := collector.NewTraceServiceClient(s.conn).Export(ctx, &collector.ExportTraceServiceRequest{ResourceSpans: spans})
	return err
}
