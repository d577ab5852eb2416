package store

import (
	"strings"

	"go.uber.org/zap"
)

// A badgerLogger passes Badger's warnings and errors on; what it says besides
// is its own business.
type badgerLogger struct {
	log *zap.SugaredLogger
}

func newBadgerLogger(log *zap.Logger) badgerLogger {
	return badgerLogger{log.Named("badger").Sugar()}
}

func (l badgerLogger) Errorf(format string, args ...any) {
	l.log.Errorf(strings.TrimSpace(format), args...)
}

func (l badgerLogger) Warningf(format string, args ...any) {
	l.log.Warnf(strings.TrimSpace(format), args...)
}

func (badgerLogger) Infof(string, ...any) {}

func (badgerLogger) Debugf(string, ...any) {}
