package panics_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap/zapcore"

	"github.com/verdictpdp/verdict/engine/panics"
)

func TestCatch(t *testing.T) {
	usual := errors.New("usual")
	tests := []struct {
		name  string
		work  func() error
		want  string
		stack string // a part of it; empty expects none
	}{
		{"nothing", func() error { return nil }, "", ""},
		{"an error", func() error { return usual }, "usual", ""},
		{"a panic", explode, "the work panicked: boom", "explode"},
		{"a panic that was told on", func() error { return fmt.Errorf("tenant t: %w", run(explode)) }, "tenant t: the work panicked: boom", "explode"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := run(tt.work)
			if err == nil {
				if tt.want != "" {
					t.Errorf("there is no error; expected %q", tt.want)
				}
				return
			}
			if err.Error() != tt.want {
				t.Errorf("the error is %q, expected %q", err, tt.want)
			}
			log := zapcore.NewMapObjectEncoder()
			for _, field := range panics.Fields(err) {
				field.AddTo(log)
			}
			if log.Fields["error"] != tt.want {
				t.Errorf("the log has %v", log.Fields)
			}
			stack, has := log.Fields["stack"].(string)
			if has != (tt.stack != "") || !strings.Contains(stack, tt.stack) {
				t.Errorf("the stack is %q, expected %q in it", stack, tt.stack)
			}
		})
	}
}

func run(work func() error) (err error) {
	defer panics.Catch("work", &err)
	return work()
}

func explode() error { panic("boom") }
