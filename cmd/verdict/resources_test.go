package main

import (
	"math"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// TestSettingsFitTheProcess gives a process little, and looks at which settings are
// lowered, and whether the log says so.
func TestSettingsFitTheProcess(t *testing.T) {
	const plenty = math.MaxInt64
	tests := []struct {
		name        string
		memory      int64
		files       uint64
		tables      uint64
		cache       byteSize
		connections count
		warnings    int
	}{
		{"no limits", plenty, 1 << 20, 0, 256 << 20, 10_000, 0},
		{"files not known", plenty, 0, 0, 256 << 20, 10_000, 0},
		{"memory that is enough", 1 << 30, 1 << 20, 0, 256 << 20, 10_000, 0},
		{"memory of a sidecar", 128 << 20, 1 << 20, 0, 32 << 20, 10_000, 1},
		{"files that are just enough", plenty, 24_096, 0, 256 << 20, 10_000, 0},
		{"one file less than that", plenty, 24_094, 0, 256 << 20, 9_999, 1},
		{"usual files of a login", plenty, 1024, 0, 256 << 20, 384, 1},
		{"few files", plenty, 256, 0, 256 << 20, 64, 1},
		{"usual files of a login, and a store of 1 GB", plenty, 1024, 100, 256 << 20, 284, 1},
		{"a store of 10 GB", plenty, 4096, 800, 256 << 20, 736, 1},
		{"a store that takes all files", plenty, 1024, 800, 256 << 20, 64, 1},
		{"files that are enough for a large store", plenty, 24_096 + 2*800, 800, 256 << 20, 10_000, 0},
		{"hardly any files", plenty, 20, 0, 256 << 20, 1, 1},
		{"little of both", 128 << 20, 1024, 0, 32 << 20, 384, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			core, said := observer.New(zapcore.WarnLevel)
			log := zap.New(core)
			cfg := fitFiles(fitMemory(defaultConfig(), test.memory, log), test.files, test.tables, log)
			if cfg.Directory.Cache != test.cache || cfg.Limits.Connections != test.connections {
				t.Errorf("a cache of %s and %d connections, want %s and %d", cfg.Directory.Cache, cfg.Limits.Connections, test.cache, test.connections)
			}
			if said.Len() != test.warnings {
				t.Errorf("%d warnings, want %d: %v", said.Len(), test.warnings, said.All())
			}
		})
	}
}
