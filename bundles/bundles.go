// Package bundles holds the bundles that come with Verdict, embedded: the
// standard library that every policy can import (lib), and a policy each for a
// workforce, for customers, and for both in one directory (workforce, customer,
// hybrid), with sample data, requests and tests; and the policy for those who call
// Verdict itself (api).
//
// The package knows nothing of how bundles are read or run. Start with the
// README.md of a bundle.
package bundles

import "embed"

// FS holds each bundle in a directory of its name, with every file as it
// stands in the repository, manifests included.
//
//go:embed all:lib all:workforce all:customer all:hybrid all:api
var FS embed.FS
