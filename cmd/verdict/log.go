package main

import (
	"io"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// newLogger logs to standard error, structured.
func newLogger(cfg logConfig, out io.Writer) *zap.Logger {
	encoding := zap.NewProductionEncoderConfig()
	encoding.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	encoding.TimeKey = "time"
	encoding.EncodeDuration = zapcore.StringDurationEncoder
	encoder := zapcore.NewJSONEncoder(encoding)
	if cfg.Format == "console" {
		encoding.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
		encoder = zapcore.NewConsoleEncoder(encoding)
	}
	return zap.New(withoutFloods(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(out)), zapcore.Level(cfg.Level))))
}

// How many warnings and errors of one text are logged in a second: so many, and of
// those beyond one in so many.
const (
	alikeInASecond = 100
	beyondThose    = 1000
)

// withoutFloods is a core that leaves out warnings and errors that come in floods,
// which callers can cause, and tells how many. Lines of other levels are all logged.
func withoutFloods(core zapcore.Core) zapcore.Core {
	var leftOut atomic.Int64
	count := func(entry zapcore.Entry, decision zapcore.SamplingDecision) {
		if decision&zapcore.LogDropped != 0 {
			leftOut.Add(1)
			return
		}
		if lines := leftOut.Swap(0); lines > 0 {
			_ = core.Write(zapcore.Entry{
				Level: zapcore.WarnLevel, Time: entry.Time, Message: "warnings and errors were left out, of which many were alike",
			}, []zapcore.Field{zap.Int64("lines", lines)})
		}
	}
	sampler := zapcore.NewSamplerWithOptions(core, time.Second, alikeInASecond, beyondThose, zapcore.SamplerHook(count))
	isGrave := zap.LevelEnablerFunc(func(level zapcore.Level) bool { return level >= zapcore.WarnLevel })
	return zapcore.NewTee(only{sampler, isGrave}, only{core, zap.LevelEnablerFunc(func(level zapcore.Level) bool { return !isGrave(level) })})
}

// only is a core for some levels.
type only struct {
	zapcore.Core
	levels zapcore.LevelEnabler
}

// Enabled reports whether the level is one of those.
func (o only) Enabled(level zapcore.Level) bool {
	return o.levels.Enabled(level) && o.Core.Enabled(level)
}

// With is the core with fields in each line.
func (o only) With(fields []zapcore.Field) zapcore.Core { return only{o.Core.With(fields), o.levels} }

// Check adds the core where the level is one of those.
func (o only) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !o.levels.Enabled(entry.Level) {
		return checked
	}
	return o.Core.Check(entry, checked)
}
