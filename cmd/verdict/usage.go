package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// What is wrong with a command line is said in this program's words, where
// cobra and pflag would pass on those of the packages that they call.

// arguments refuses a command line with fewer or more arguments.
func arguments(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return fmt.Errorf("an argument is missing: expected %s", cmd.UseLine())
		case len(args) > most:
			return fmt.Errorf("%q is one argument too many: expected %s", args[most], cmd.UseLine())
		}
		return nil
	}
}

// expectSubcommand makes it an error to run a command that only holds others.
func expectSubcommand(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var names []string
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				names = append(names, sub.Name())
			}
		}
		wrong := "expected one of"
		if len(args) > 0 {
			wrong = fmt.Sprintf("%q is none of", args[0])
		}
		return fmt.Errorf("%s %s: see %s --help", wrong, strings.Join(names, ", "), cmd.CommandPath())
	}
}

// refuseUnknownTopics makes it an error to ask cobra's own commands for what
// does not exist. They would print their help.
func refuseUnknownTopics(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error {
				if _, rest, err := root.Find(args); err != nil || len(rest) > 0 {
					return fmt.Errorf("there is no command %q: see verdict --help", strings.Join(args, " "))
				}
				return nil
			}
		case "completion":
			expectSubcommand(cmd)
		}
	}
}

// flagError is the error of a flag that cannot be read.
func flagError(cmd *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		bare    *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
		broken  *pflag.InvalidSyntaxError
	)
	wrong := err.Error()
	switch {
	case errors.As(err, &unknown):
		wrong = unknownFlag(cmd, unknown)
	case errors.As(err, &bare):
		wrong = "--" + bare.GetFlag().Name + " needs a value"
	case errors.As(err, &invalid):
		flag := invalid.GetFlag()
		return fmt.Errorf("--%s %q: %s", flag.Name, invalid.GetValue(), expectedOf(flag, invalid.Unwrap()))
	case errors.As(err, &broken):
		wrong = broken.GetSpecifiedFlag() + " is no flag"
	}
	return fmt.Errorf("%s: see %s --help", wrong, cmd.CommandPath())
}

func unknownFlag(cmd *cobra.Command, err *pflag.NotExistError) string {
	letters, _, _ := strings.Cut(err.GetSpecifiedShortnames(), "=")
	switch {
	case letters == "":
		return "there is no flag --" + err.GetSpecifiedName()
	case cmd.Flags().Lookup(letters) != nil:
		return fmt.Sprintf("there is no flag -%s, but --%s", letters, letters)
	}
	return "there is no flag -" + err.GetSpecifiedName()
}

// expectedOf says what a flag takes: the flags of this program do by
// themselves, in the error.
func expectedOf(flag *pflag.Flag, err error) string {
	switch flag.Value.Type() {
	case "bool":
		return "expected true or false, or nothing for true"
	case "uint", "uint64":
		return "expected a whole number such as 42"
	case "stringSlice":
		return "expected names with commas between them"
	}
	return err.Error()
}

// contradicting finds the flags in cobra's error about those that exclude each
// other.
var contradicting = regexp.MustCompile(`\[(\S+) (\S+)\] were all set$`)

// incomplete finds the flags in cobra's error about those that need each other.
var incomplete = regexp.MustCompile(`\[(\S+) (\S+)\] are set they must all be set; missing \[(\S+)\]$`)

// checkFlagGroups refuses flags that exclude each other, and one that lacks the other that
// it needs.
func checkFlagGroups(cmd *cobra.Command, _ []string) error {
	err := cmd.ValidateFlagGroups()
	if err == nil {
		return nil
	}
	if flags := contradicting.FindStringSubmatch(err.Error()); flags != nil {
		return fmt.Errorf("--%s and --%s exclude each other: give one of them", flags[1], flags[2])
	}
	if flags := incomplete.FindStringSubmatch(err.Error()); flags != nil {
		return fmt.Errorf("--%s and --%s belong together: give --%s as well", flags[1], flags[2], flags[3])
	}
	return err
}

// A timeout is a duration above zero. It is a flag's value.
type timeout time.Duration

func (t *timeout) Set(s string) error {
	parsed, err := time.ParseDuration(s)
	if err != nil || parsed <= 0 {
		return errors.New("expected a duration above zero, such as 30s or 5m")
	}
	*t = timeout(parsed)
	return nil
}

func (t *timeout) String() string { return time.Duration(*t).String() }

func (t *timeout) Type() string { return "duration" }
