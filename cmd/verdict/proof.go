package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/verdictpdp/verdict/api/client"
)

// The environment variables by which a command is told its token, where no flag does.
const (
	tokenVariable     = "VERDICT_TOKEN"
	tokenFileVariable = "VERDICT_TOKEN_FILE"
)

// A proof is how a command shows a server who calls, if it does.
type proof struct {
	token, tokenFile string
	cert, key        string
}

// addFlags offers --token, --token-file, --cert and --key.
func (c *proof) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&c.token, "token", "", "the bearer `token` to send; other users can see it, unless it comes from "+tokenVariable)
	flags.StringVar(&c.tokenFile, "token-file", "", "`file` with the bearer token to send (default: "+tokenFileVariable+")")
	flags.StringVar(&c.cert, "cert", "", "`file` of the certificate (PEM) to show over TLS")
	flags.StringVar(&c.key, "key", "", "`file` of its key (PEM)")
	cmd.MarkFlagsMutuallyExclusive("token", "token-file")
	cmd.MarkFlagsRequiredTogether("cert", "key")
}

// options are those of a client with the proof. The settings of TLS, nil without it,
// get the certificate.
func (c *proof) options(security *tls.Config) ([]client.Option, error) {
	if c.cert != "" {
		if security == nil {
			return nil, errors.New("--cert is shown over TLS alone: give --ca as well")
		}
		pair, err := tls.LoadX509KeyPair(c.cert, c.key)
		if err != nil {
			return nil, fmt.Errorf("--cert and --key: %w", err)
		}
		security.Certificates = []tls.Certificate{pair}
	}
	token, file := c.token, c.tokenFile
	if token == "" && file == "" {
		token, file = os.Getenv(tokenVariable), os.Getenv(tokenFileVariable)
	}
	switch {
	case token != "":
		return []client.Option{client.WithToken(func(context.Context) (string, error) { return token, nil })}, nil
	case file != "":
		return []client.Option{client.WithTokenFile(file)}, nil
	}
	return nil, nil
}
