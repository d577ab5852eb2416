package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

func newStatusCommand(p *printer) *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell how a server does: what is active, what is missing, how large it is",
		Long: `Tell how a server does: which policy decides for each tenant and since when, what
keeps the server from being ready, and how large its directory is.

Exit code: 0 when the server is ready, 1 when it is not, 2 for an error. So it can
be a container's health check.`,
		Example: `  verdict status
  verdict status --server unix:///run/verdict.sock --timeout 2s
  verdict status --tenant workforce --output json`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("tenant") {
				r.tenant = ""
			}
			conn, err := r.dial()
			if err != nil {
				return err
			}
			defer conn.Close()
			ctx, cancel := r.bounded(cmd.Context())
			defer cancel()
			response, err := verdictv1.NewPolicyServiceClient(conn).GetStatus(ctx, &verdictv1.GetStatusRequest{Tenant: r.tenant})
			if err != nil {
				return r.inTime(ctx, err)
			}
			report := newStatusReport(response)
			if err := p.printStatus(report); err != nil {
				return err
			}
			if !report.Ready {
				return errNo
			}
			return nil
		},
	}
	r.addFlags(cmd)
	cmd.Flags().Lookup("tenant").Usage = "tell of this `tenant` alone"
	cmd.Flags().Lookup("tenant").DefValue = ""
	r.addTimeoutFlag(cmd)
	return cmd
}

// A statusReport is how a server does, as --output json prints it.
type statusReport struct {
	Ready     bool                  `json:"ready"`
	Missing   []string              `json:"missing"`
	Version   string                `json:"version"`
	StartedAt string                `json:"started_at"`
	Tenants   []tenantStatusReport  `json:"tenants"`
	Directory directoryStatusReport `json:"directory"`
	Cache     cacheReport           `json:"cache"`
	Calls     uint64                `json:"calls_under_way"`
	GRPC      uint64                `json:"grpc_connections"`
	HTTP      uint64                `json:"http_connections"`
}

type tenantStatusReport struct {
	Tenant            string `json:"tenant"`
	Bundle            string `json:"bundle"`
	Revision          string `json:"revision"`
	Evaluator         string `json:"evaluator"`
	ActivatedAt       string `json:"activated_at,omitempty"`
	FallbackReason    string `json:"fallback_reason,omitempty"`
	LastError         string `json:"last_error,omitempty"`
	LastErrorAt       string `json:"last_error_at,omitempty"`
	DirectoryRevision uint64 `json:"directory_revision"`
	Allows            uint64 `json:"allows"`
	Denies            uint64 `json:"denies"`
	Errors            uint64 `json:"errors"`
	Searches          uint64 `json:"searches"`
	Plans             uint64 `json:"plans"`
}

type directoryStatusReport struct {
	OldestRevision uint64  `json:"oldest_revision"`
	LatestRevision uint64  `json:"latest_revision"`
	TableBytes     uint64  `json:"table_bytes"`
	LogBytes       uint64  `json:"log_bytes"`
	FreeBytes      *uint64 `json:"free_bytes,omitempty"`
	Expired        uint64  `json:"expired_revisions"`
	ExpiredAt      string  `json:"expired_at,omitempty"`
	Merges         uint64  `json:"merges"`
	MergedAt       string  `json:"merged_at,omitempty"`
	Reclaimed      uint64  `json:"reclaimed_bytes"`
	BackupRevision uint64  `json:"backup_revision,omitempty"`
	BackupAt       string  `json:"backup_at,omitempty"`
	AuditBytes     *uint64 `json:"audit_bytes,omitempty"`
	AuditMaxBytes  uint64  `json:"audit_max_bytes"`
	AuditOldestAt  string  `json:"audit_oldest_at,omitempty"`
}

type cacheReport struct {
	Bytes    uint64 `json:"bytes"`
	MaxBytes uint64 `json:"max_bytes"`
}

func newStatusReport(response *verdictv1.GetStatusResponse) statusReport {
	server, directory := response.GetServer(), response.GetDirectory()
	report := statusReport{
		Ready: server.GetReady(), Missing: append([]string{}, server.GetMissing()...),
		Version: server.GetVersion(), StartedAt: timeText(server.GetStartedAt()),
		Tenants: []tenantStatusReport{},
		Directory: directoryStatusReport{
			OldestRevision: directory.GetOldestRevision(), LatestRevision: directory.GetLatestRevision(),
			TableBytes: directory.GetTableBytes(), LogBytes: directory.GetLogBytes(),
			Expired: directory.GetExpiredRevisions(), ExpiredAt: timeText(directory.GetExpiredAt()),
			Merges: directory.GetMerges(), MergedAt: timeText(directory.GetMergedAt()), Reclaimed: directory.GetReclaimedBytes(),
			BackupRevision: directory.GetBackupRevision(), BackupAt: timeText(directory.GetBackupAt()),
			AuditMaxBytes: directory.GetAuditMaxBytes(), AuditOldestAt: timeText(directory.GetAuditOldestAt()),
		},
		Cache: cacheReport{server.GetCacheBytes(), server.GetCacheMaxBytes()},
		Calls: server.GetCallsUnderWay(), GRPC: server.GetGrpcConnections(), HTTP: server.GetHttpConnections(),
	}
	if directory != nil {
		report.Directory.FreeBytes, report.Directory.AuditBytes = directory.FreeBytes, directory.AuditBytes
	}
	for _, policy := range response.GetPolicies() {
		activity := policy.GetActivity()
		report.Tenants = append(report.Tenants, tenantStatusReport{
			Tenant: policy.GetTenant(), Bundle: policy.GetBundle(), Revision: policy.GetRevision(), Evaluator: policy.GetEvaluator(),
			ActivatedAt: timeText(policy.GetActivatedAt()), FallbackReason: policy.GetFallbackReason(),
			LastError: policy.GetLastError(), LastErrorAt: timeText(policy.GetLastErrorAt()),
			DirectoryRevision: policy.GetDirectoryRevision(),
			Allows:            activity.GetAllows(), Denies: activity.GetDenies(), Errors: activity.GetErrors(),
			Searches: activity.GetSearches(), Plans: activity.GetPlans(),
		})
	}
	return report
}

func (p *printer) printStatus(report statusReport) error {
	if p.json() {
		return p.printJSON(report)
	}
	state, colour := "ready", green
	if !report.Ready {
		state, colour = "not ready", red
	}
	p.printf("%s  verdict %s, since %s\n", p.paint(colour, state), printable(report.Version), secondsText(report.StartedAt))
	for _, missing := range report.Missing {
		p.printf("  %s\n", printable(missing))
	}
	p.printf("\n")
	number := func(n uint64) string { return humanize.Comma(int64(n)) }
	rows := [][]string{{"tenant", "policy", "evaluator", "since", "directory", "allows", "denies", "errors"}}
	for _, t := range report.Tenants {
		rows = append(rows, []string{
			t.Tenant, cmp.Or(strings.TrimSpace(t.Bundle+" "+t.Revision), "none"), cmp.Or(t.Evaluator, "-"), cmp.Or(secondsText(t.ActivatedAt), "-"),
			number(t.DirectoryRevision), number(t.Allows), number(t.Denies), number(t.Errors),
		})
	}
	if err := p.table(rows); err != nil {
		return err
	}
	for _, t := range report.Tenants {
		if t.LastError != "" {
			p.printf("\n%s: its bundle could not become active at %s:\n  %s\n", printable(t.Tenant), secondsText(t.LastErrorAt), printable(t.LastError))
		}
		if t.FallbackReason != "" {
			p.printf("\n%s: its policy decides slower than it could:\n  %s\n", printable(t.Tenant), printable(t.FallbackReason))
		}
	}
	p.printf("\n")
	d := report.Directory
	free := "unknown"
	if d.FreeBytes != nil {
		free = humanize.IBytes(*d.FreeBytes)
	}
	expired, merged, backup := "nothing", "never yet", "none was made"
	if d.ExpiredAt != "" {
		expired = fmt.Sprintf("%s revisions, last at %s", number(d.Expired), secondsText(d.ExpiredAt))
	}
	if d.MergedAt != "" {
		merged = fmt.Sprintf("%s times, last at %s; %s given back", number(d.Merges), secondsText(d.MergedAt), humanize.IBytes(d.Reclaimed))
	}
	if d.BackupAt != "" {
		backup = fmt.Sprintf("to revision %d, at %s", d.BackupRevision, secondsText(d.BackupAt))
	}
	records := "not counted yet"
	if d.AuditBytes != nil {
		records = humanize.IBytes(*d.AuditBytes)
	}
	records += " of " + humanize.IBytes(d.AuditMaxBytes)
	if d.AuditOldestAt != "" {
		records += ", the oldest of " + secondsText(d.AuditOldestAt)
	}
	return p.table([][]string{
		{"directory", fmt.Sprintf("revisions %d to %d", d.OldestRevision, d.LatestRevision)},
		{"on disk", fmt.Sprintf("%s in tables, %s in logs; %s free", humanize.IBytes(d.TableBytes), humanize.IBytes(d.LogBytes), free)},
		{"expired", expired},
		{"merged", merged},
		{"change records", records},
		{"last backup", backup},
		{"cache", fmt.Sprintf("%s of %s", humanize.IBytes(report.Cache.Bytes), humanize.IBytes(report.Cache.MaxBytes))},
		{"connections", fmt.Sprintf("%d gRPC, %d HTTP; %s", report.GRPC, report.HTTP, callsUnderWay(report.Calls))},
	})
}

func callsUnderWay(n uint64) string {
	if n == 1 { // at least the one that asks
		return "1 call under way"
	}
	return fmt.Sprintf("%d calls under way", n)
}

// secondsText is a time of a report as a person wants it, without parts of a second.
func secondsText(text string) string {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return printable(text)
	}
	return at.Format(time.RFC3339)
}
