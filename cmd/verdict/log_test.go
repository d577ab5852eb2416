package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// at is a clock that stands still.
type at time.Time

func (a at) Now() time.Time                       { return time.Time(a) }
func (at) NewTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }

// What callers can have logged at will is left out beyond a number a second, and said
// to be. The lines of decisions and of what a service does are all there.
func TestFloodsAreLeftOutOfTheLog(t *testing.T) {
	var out bytes.Buffer
	logger := newLogger(logConfig{Level: logLevel(zapcore.DebugLevel), Format: "json"}, &out)
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	flooded := logger.WithOptions(zap.WithClock(at(noon))).With(zap.String("tenant", "clinic"))
	for range alikeInASecond {
		flooded.Error("a rule failed")
	}
	if lines := strings.Count(out.String(), "a rule failed"); lines != alikeInASecond {
		t.Errorf("%d of %d lines are logged, which is no flood yet", lines, alikeInASecond)
	}
	for range 500 {
		flooded.Error("a rule failed")
		flooded.Info("a bundle is active")
		flooded.Debug("a decision")
	}
	for text, want := range map[string]int{"a rule failed": alikeInASecond, "a bundle is active": 500, "a decision": 500, "left out": 0} {
		if lines := strings.Count(out.String(), text); lines != want {
			t.Errorf("%q is logged %d times, want %d", text, lines, want)
		}
	}

	out.Reset()
	flooded.Warn("something else")
	if text := out.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, `"lines":500`) || !strings.Contains(text, `"something else","tenant":"clinic"`) {
		t.Errorf("the next line does not say how many were left out:\n%s", text)
	}
	out.Reset()
	logger.WithOptions(zap.WithClock(at(noon.Add(2 * time.Second)))).Error("a rule failed")
	if text := out.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "a rule failed") {
		t.Errorf("the next second's line is\n%s", text)
	}
}

func TestTheLevelOfTheLog(t *testing.T) {
	var out bytes.Buffer
	logger := newLogger(logConfig{Level: logLevel(zapcore.ErrorLevel), Format: "json"}, &out)
	logger.Warn("a warning")
	logger.Info("a line")
	if out.Len() > 0 {
		t.Errorf("below the level are logged: %s", &out)
	}
}
