package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/open-policy-agent/opa/v1/ast"
	opa "github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/verdictpdp/verdict/api/authz"
)

// parse makes a bundle of its files. OPA's reader takes the manifest and the
// data; the modules are parsed here, since OPA's reader stops at the first that
// is wrong and does not tell tests from policy.
func parse(files []file, from origin) (*Bundle, error) {
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	described, err := readDocuments(files, from)
	if err != nil {
		return nil, err
	}
	b := &Bundle{
		Name:     from.name,
		Revision: described.Manifest.Revision,
		Digest:   digest(files, decides),
		Data:     described.Data,

		TestDigest: digest(files, tests),
	}
	var errs []error
	for _, f := range files {
		if from.rest != nil {
			from.rest()
		}
		role := roleOf(f.name)
		if role == sample {
			b.Directory = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(f.raw)), nil }
		}
		if role != policy && role != test {
			continue
		}
		module, err := parseModule(f, from, described)
		switch {
		case err != nil:
			errs = append(errs, err)
		case role == test:
			b.TestModules = append(b.TestModules, module)
		default:
			b.Modules = append(b.Modules, module)
		}
	}
	errs = append(errs, checkReach(b, described, files, from)...)
	if len(b.Revision) > MaxRevisionBytes {
		errs = append(errs, authz.InvalidField(from.file(manifestName), "the revision has %d bytes: at most %d are allowed", len(b.Revision), MaxRevisionBytes))
	}
	if err := authz.JoinInvalid(errs); err != nil {
		return nil, err
	}
	if b.Revision == "" {
		b.Revision = "sha256:" + b.Digest[:12]
	}
	return b, nil
}

// readDocuments reads the manifest and the data with OPA's reader.
func readDocuments(files []file, from origin) (*opa.Bundle, error) {
	var documents []file
	for _, f := range files {
		if role := roleOf(f.name); role == data || role == manifest {
			documents = append(documents, f)
		}
	}
	read, err := opa.NewCustomReader(&memoryLoader{files: documents}).
		WithSkipBundleVerification(true).
		WithLazyLoadingMode(false).
		WithSizeLimitBytes(MaxFileBytes).
		Read()
	var errs []error
	if err == nil {
		for _, f := range documents {
			errs = append(errs, checkNames(f, from))
		}
		return &read, authz.JoinInvalid(errs)
	}
	for _, f := range documents {
		if err := checkDocument(f, from); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		errs = append(errs, authz.InvalidField(from.path, "%s", err))
	}
	return nil, authz.JoinInvalid(errs)
}

// checkDocument finds the place of a fault that OPA's reader reports without
// one. Faults of YAML name their line in the text.
func checkDocument(f file, from origin) error {
	var err error
	switch {
	case f.name == manifestName:
		err = json.Unmarshal(f.raw, new(opa.Manifest))
	case opa.IsYAMLDataFile(f.name):
		if err = util.Unmarshal(f.raw, new(any)); err != nil {
			return authz.InvalidField(from.file(f.name), "%s", err)
		}
	case path.Ext(f.name) == ".json":
		err = json.Unmarshal(f.raw, new(any))
	}
	if err == nil {
		return nil
	}
	return authz.InvalidField(lineIn(f, from, offsetOf(err)), "%s", mismatch(err))
}

// checkNames reports an object of JSON in which a name stands twice: OPA's
// reader takes the last one, and an author may have meant the other.
func checkNames(f file, from origin) error {
	if f.name != manifestName && path.Ext(f.name) != ".json" {
		return nil
	}
	decoder := jsontext.NewDecoder(bytes.NewReader(f.raw))
	for {
		_, err := decoder.ReadToken()
		var wrong *jsontext.SyntacticError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &wrong):
			return authz.InvalidField(lineIn(f, from, wrong.ByteOffset), "the member %s stands twice: give it once", wrong.JSONPointer)
		case err != nil:
			return authz.InvalidField(lineIn(f, from, decoder.InputOffset()), "%s: expected JSON by RFC 8259", err)
		}
	}
}

func parseModule(f file, from origin, described *opa.Bundle) (Module, error) {
	shown := from.file(f.name)
	version, err := described.RegoVersionForFile("/"+f.name, ast.RegoV1)
	if err != nil {
		return Module{}, authz.InvalidField(from.file(manifestName), "%s", err)
	}
	digest := sha256.Sum256(f.raw)
	digest[0] ^= byte(version)
	if before, found := from.parsed[shown]; found && before.digest == digest {
		return before, nil
	}
	parsed, err := ast.ParseModuleWithOpts(shown, string(f.raw), ast.ParserOptions{ProcessAnnotation: true, RegoVersion: version})
	if err != nil {
		return Module{}, Invalid(err)
	}
	placeElses(parsed, ast.ParserOptions{RegoVersion: version})
	return Module{Path: shown, Parsed: parsed, digest: digest}, nil
}
