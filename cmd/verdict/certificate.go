package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// A certificate is what the service shows to those who connect over TLS: a chain
// and its key, out of two files that are read anew.
//
// They are read again and again and compared by content. That is some
// microseconds a second, and it holds for every way in which they are replaced:
// written in place, renamed, behind a link that is turned as Kubernetes turns it,
// or on a file system that reports no changes.
type certificate struct {
	chainFile, keyFile string
	logger             *zap.Logger

	shown atomic.Pointer[tls.Certificate]
	// chain and key are the files that shown is made of.
	chain, key []byte
}

// certificateInterval is how often the files are read.
const certificateInterval = time.Second

// maxCertificateBytes is how large each of the files may be: far more than a
// chain is.
const maxCertificateBytes = 1 << 20

// openCertificate reads the files, which must be sound.
func openCertificate(settings tlsConfig, logger *zap.Logger) (*certificate, error) {
	c := &certificate{chainFile: settings.Cert, keyFile: settings.Key, logger: logger}
	if err := c.reload(); err != nil {
		return nil, err
	}
	return c, nil
}

// watch reads the files anew until ctx ends; then it returns nil. Those that are
// not sound change nothing but the log.
func (c *certificate) watch(ctx context.Context) error {
	return again(ctx, c.reload, func(err error) {
		c.logger.Error("the TLS certificate was not replaced: the one before stays", zap.Error(err))
	})
}

// reload reads the files, and shows what they hold from the next handshake on.
func (c *certificate) reload() error {
	chain, chainErr := readSmallFile(c.chainFile)
	key, keyErr := readSmallFile(c.keyFile)
	if err := errors.Join(chainErr, keyErr); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	if c.shown.Load() != nil && bytes.Equal(chain, c.chain) && bytes.Equal(key, c.key) {
		return nil
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return fmt.Errorf("TLS: the certificate %s with the key %s: %w", c.chainFile, c.keyFile, err)
	}
	if end := pair.Leaf.NotAfter; time.Now().After(end) {
		return fmt.Errorf("TLS: the certificate %s has expired on %s: nobody would connect", c.chainFile, end.Format(time.DateOnly))
	}
	if begin := pair.Leaf.NotBefore; time.Now().Before(begin) {
		if c.shown.Load() != nil {
			return fmt.Errorf("TLS: the certificate %s is not valid before %s: nobody would connect until then", c.chainFile, begin.Format(time.RFC3339))
		}
		// There is none to go on with, and where a machine starts its clock may not be set yet.
		c.logger.Warn("the TLS certificate is not valid yet: nobody connects until then; is the clock right?",
			zap.String("file", c.chainFile), zap.Time("not_before", begin))
	}
	c.chain, c.key = chain, key
	c.shown.Store(&pair)
	c.logger.Info("TLS certificate", zap.String("file", c.chainFile),
		zap.Strings("names", namesIn(pair.Leaf)), zap.Time("not_after", pair.Leaf.NotAfter))
	return nil
}

// namesIn are what a certificate is good for, host names and addresses.
func namesIn(leaf *x509.Certificate) []string {
	names := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

func readSmallFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxCertificateBytes+1))
	if err == nil && len(text) > maxCertificateBytes {
		err = fmt.Errorf("%s is larger than %d bytes: expected PEM", name, maxCertificateBytes)
	}
	return text, err
}

// settings are those of a server that speaks TLS 1.3 and, above it, one of the
// protocols (ALPN), the first in common.
func (c *certificate) settings(protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS13,
		NextProtos:     protocols,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.shown.Load(), nil },
	}
}

// authorities are the certificates in a file by which a server is told to be the
// one that is meant.
func authorities(file string) (*x509.CertPool, error) {
	text, err := readSmallFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate: expected PEM", file)
	}
	return pool, nil
}
