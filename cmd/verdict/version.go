package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set at release: go build -ldflags "-X main.version=1.2.3".
var version string

const opaModule = "github.com/open-policy-agent/opa"

type versionReport struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	OPA      string `json:"opa"`
	Platform string `json:"platform"`
}

func newVersionCommand(p *printer) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of verdict, and of the Go and OPA it is built with",
		Args:  arguments(0, 0),
		RunE: func(*cobra.Command, []string) error {
			report := readVersion()
			if p.json() {
				return p.printJSON(report)
			}
			rows := [][]string{{"verdict", report.Version}}
			if report.Revision != "" {
				rows = append(rows, []string{"revision", report.Revision})
			}
			return p.table(append(rows, []string{"go", report.Go}, []string{"opa", report.OPA}, []string{"platform", report.Platform}))
		},
	}
}

func readVersion() versionReport {
	report := versionReport{
		Version:  "development",
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				report.Revision = setting.Value
			}
		}
		for _, module := range info.Deps {
			if module.Path == opaModule {
				report.OPA = module.Version
			}
		}
	}
	if version != "" {
		report.Version = version
	}
	return report
}
