package scenario

import (
	"embed"
	"path"

	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/policy/bundle"
)

//go:embed policies
var policies embed.FS

// policy is the bundle of the policies in a directory.
func policy(name string) (*bundle.Bundle, error) {
	return bundle.ReadFS(policies, path.Join("policies", name))
}

// cedarPolicy is the policy for Cedar in a directory. refs are the attributes
// that hold refs.
func cedarPolicy(name string, refs ...string) (*Cedar, error) {
	text, err := policies.ReadFile(path.Join("policies", name, "policy.cedar"))
	if err != nil {
		return nil, err
	}
	return &Cedar{Policies: text, Refs: refs}, nil
}

// shippedBundle is a bundle that comes with Verdict, with the library.
func shippedBundle(name string) (*bundle.Bundle, error) {
	b, err := bundle.ReadFS(bundles.FS, name)
	if err != nil {
		return nil, err
	}
	library, err := bundle.ReadFS(bundles.FS, "lib")
	if err != nil {
		return nil, err
	}
	return b.With(library), nil
}
