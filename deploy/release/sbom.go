package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
)

// specification is a version of CycloneDX that scanners read for years already.
const specification = cyclonedx.SpecVersion1_5

// writeSBOM lists the modules that a program was linked from, and the Go that it was
// built with, as the program itself tells: go.mod names more than is in it. A
// vulnerability scanner finds them by their package URLs.
func writeSBOM(out, program, version string, p platform, committed time.Time) (err error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	target, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	list := listOf(info, version, p, committed)
	list.Metadata.Component.Hashes = &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: fmt.Sprintf("%x", sha256.Sum256(text))}}
	return cyclonedx.NewBOMEncoder(target, cyclonedx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).
		EncodeVersion(list, specification)
}

func listOf(info *debug.BuildInfo, version string, p platform, committed time.Time) *cyclonedx.BOM {
	program := cyclonedx.Component{
		BOMRef: packageURL(info.Main.Path, version), Type: cyclonedx.ComponentTypeApplication,
		Name: info.Main.Path, Version: version, PackageURL: packageURL(info.Main.Path, version),
		Properties: &[]cyclonedx.Property{{Name: "platform", Value: p.String()}},
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			*program.Properties = append(*program.Properties, cyclonedx.Property{Name: setting.Key, Value: setting.Value})
		}
	}
	components := []cyclonedx.Component{library("std", strings.TrimPrefix(info.GoVersion, "go"))}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		components = append(components, library(module.Path, module.Version))
	}
	var refs []string
	for _, component := range components {
		refs = append(refs, component.BOMRef)
	}
	slices.Sort(refs)
	list := cyclonedx.NewBOM()
	list.Metadata = &cyclonedx.Metadata{Timestamp: committed.Format(time.RFC3339), Component: &program}
	list.Components = &components
	list.Dependencies = &[]cyclonedx.Dependency{{Ref: program.BOMRef, Dependencies: &refs}}
	return list
}

func library(path, version string) cyclonedx.Component {
	url := packageURL(path, version)
	return cyclonedx.Component{BOMRef: url, Type: cyclonedx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: url}
}

// packageURL is a module's name in the form of package URLs, pkg:golang/PATH@VERSION,
// in which a plus stands for itself nowhere.
func packageURL(path, version string) string {
	return "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
}
