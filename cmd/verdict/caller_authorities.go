package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/engine/caller"
)

// clientAuthorities are those that sign client certificates, out of a file that is read
// anew as the server's own certificate is.
type clientAuthorities struct {
	file         string
	certificates *caller.Certificates
	logger       *zap.Logger
	// text is what is trusted.
	text []byte
}

// reload reads the file, and trusts what it holds from the next call on, on connections
// that are there as well.
func (a *clientAuthorities) reload() error {
	text, err := readSmallFile(a.file)
	if err != nil {
		return fmt.Errorf("client certificates: %w", err)
	}
	if a.text != nil && bytes.Equal(text, a.text) {
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return fmt.Errorf("client certificates: %s holds no certificate: expected PEM", a.file)
	}
	a.text = text
	a.certificates.Trust(pool)
	a.logger.Info("client certificates are taken of the authorities in a file", zap.String("file", a.file))
	return nil
}

// watch reads the file anew until ctx ends; then it returns nil.
func (a *clientAuthorities) watch(ctx context.Context) error {
	return again(ctx, a.reload, func(err error) {
		a.logger.Error("the authorities of client certificates were not replaced: those before stay", zap.Error(err))
	})
}

// again reloads something every so often until ctx ends; then it returns nil. What fails
// is told once for each way in which it fails.
func again(ctx context.Context, reload func() error, failed func(error)) error {
	ticks := time.NewTicker(certificateInterval)
	defer ticks.Stop()
	for failure := ""; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
		err := reload()
		if err == nil {
			failure = ""
			continue
		}
		if text := err.Error(); text != failure {
			failure = text
			failed(err)
		}
	}
}
