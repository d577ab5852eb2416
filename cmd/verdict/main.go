// Command verdict is the policy decision point: the service, the sidecar and
// the command line of the policy author, in one binary.
//
// Each verb has a file of its own; serve.go opens and closes everything a
// running service has. What a verb computes it takes from the packages below
// engine and policy; here are flags, text and exit codes.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit codes of every command.
const (
	exitOK    = 0
	exitNo    = 1 // check: a deny; test: a failed test; directory check: findings
	exitError = 2
)

// errNo ends a command with exitNo: it has said what there was to say.
var errNo = errors.New("no")

func main() {
	keepFilesPrivate()
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as it is under nohup
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

// streams are the standard streams of a command.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func run(ctx context.Context, args []string, std streams) int {
	cmd := newRootCommand(std)
	cmd.SetArgs(args)
	switch err := cmd.ExecuteContext(ctx); {
	case err == nil:
		return exitOK
	case errors.Is(err, errNo):
		return exitNo
	default:
		fmt.Fprintf(std.err, "verdict: %s\n", errorText(err))
		return exitError
	}
}

func newRootCommand(std streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "verdict",
		Short: "A policy decision point: Rego over a directory of users, roles and resources",
		Long: `Verdict answers "may this subject do this action on this resource?".

It evaluates Rego against the attributes of users, roles, departments and
resources that it keeps on disk, and answers over gRPC, HTTP and here.

To see it work:              verdict demo
To serve a policy:           verdict serve --bundle ./policy
To ask:                      verdict check user:mina read document:plan`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		Version:           readVersion().Version,
	}
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.err)
	root.SetFlagErrorFunc(flagError)
	root.PersistentPreRunE = checkFlagGroups

	p := &printer{out: std.out, err: std.err}
	root.PersistentFlags().VarP(&p.format, "output", "o", "how to print results: text or json")
	root.PersistentPostRunE = func(*cobra.Command, []string) error { return p.lost }
	mustComplete(root, "output", string(formatText), string(formatJSON))

	root.AddCommand(
		newDemoCommand(p),
		newServeCommand(p),
		newCheckCommand(p),
		newSearchCommand(p),
		newPlanCommand(p),
		newImportCommand(p),
		newExportCommand(p),
		newBackupCommand(p),
		newRestoreCommand(p),
		newDirectoryCommand(p),
		newStatusCommand(p),
		newTopCommand(p),
		newAuditCommand(p),
		newTestCommand(p),
		newTokenCommand(p),
		newVersionCommand(p),
	)
	refuseUnknownTopics(root)
	return root
}

// mustComplete offers the values of a flag to the shell.
func mustComplete(cmd *cobra.Command, flag string, values ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // the flag's name is misspelt
	}
}
