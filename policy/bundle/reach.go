package bundle

import (
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	opa "github.com/open-policy-agent/opa/v1/bundle"

	"github.com/verdictpdp/verdict/api/authz"
)

// reserved is the member of data that belongs to the directory.
const reserved = "directory"

// checkReach reports what of a bundle reaches into data.directory, and policy
// outside the manifest's roots. Tests may stand outside the roots: nobody
// activates them. Roots that are given as the whole of data (opa build writes
// them so) do not reach into data.directory by that alone.
func checkReach(b *Bundle, described *opa.Bundle, files []file, from origin) []error {
	var errs []error
	for _, root := range *described.Manifest.Roots {
		if first, _, _ := strings.Cut(root, "/"); first == reserved {
			errs = append(errs, authz.InvalidField(from.file(manifestName), "the root %q reaches into data.directory, which belongs to the directory: take it out", root))
		}
	}
	if _, taken := b.Data[reserved]; taken {
		errs = append(errs, authz.InvalidField(reservedData(files, from), "data.directory belongs to the directory: give this data another name"))
	}
	for _, m := range slices.Concat(b.Modules, b.TestModules) {
		if segment(m.Parsed.Package.Path, 1) == reserved {
			errs = append(errs, authz.InvalidField(Location(m.Parsed.Package.Location), "%s reaches into data.directory, which belongs to the directory: choose another package", m.Parsed.Package))
		}
	}
	for _, m := range b.Modules {
		if !opa.RootPathsContain(*described.Manifest.Roots, packagePath(m.Parsed.Package.Path)) {
			errs = append(errs, authz.InvalidField(Location(m.Parsed.Package.Location), "%s lies outside the manifest's roots %q: add it to them", m.Parsed.Package, *described.Manifest.Roots))
		}
	}
	return errs
}

// reservedData names the file that defines data.directory.
func reservedData(files []file, from origin) string {
	top := ""
	for _, f := range files {
		switch {
		case roleOf(f.name) != data:
		case strings.HasPrefix(f.name, reserved+"/"):
			return from.file(f.name)
		case path.Dir(f.name) == ".":
			top = from.file(f.name)
		}
	}
	return top
}

func packagePath(p ast.Ref) string {
	names := make([]string, 0, len(p))
	for i := 1; i < len(p); i++ {
		names = append(names, segment(p, i))
	}
	return strings.Join(names, "/")
}

func segment(p ast.Ref, i int) string {
	if i >= len(p) {
		return ""
	}
	name, _ := p[i].Value.(ast.String)
	return string(name)
}
