package main

import (
	"math"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// TestOnlyWhatWasSetIsWarnedOf holds that a default that a server fits to its process is no
// warning, as nobody asked for it, and that a setting is.
func TestOnlyWhatWasSetIsWarnedOf(t *testing.T) {
	for _, test := range []struct {
		name        string
		cache       byteSize
		connections count
		want        zapcore.Level
	}{
		{"the defaults", defaultConfig().Directory.Cache, defaultConfig().Limits.Connections, zapcore.InfoLevel},
		{"settings", 128 << 20, 9_000, zapcore.WarnLevel},
	} {
		core, said := observer.New(zapcore.InfoLevel)
		cfg := defaultConfig()
		cfg.Directory.Cache, cfg.Limits.Connections = test.cache, test.connections
		log := zap.New(core)
		fitFiles(fitMemory(cfg, 128<<20, 0, log), 1024, 0, log)
		for _, setting := range []string{"directory.cache is lowered", "limits.connections is lowered"} {
			lines := said.Filter(func(line observer.LoggedEntry) bool { return strings.HasPrefix(line.Message, setting) }).All()
			if len(lines) != 1 || lines[0].Level != test.want {
				t.Errorf("%s: %q stands in %v, want one line at %s", test.name, setting, lines, test.want)
			}
		}
	}
}

// TestSettingsFitTheProcess gives a process little, and looks at which settings are
// lowered, and whether the log says so.
func TestSettingsFitTheProcess(t *testing.T) {
	const plenty = math.MaxInt64
	tests := []struct {
		name        string
		memory      int64
		machine     uint64
		files       uint64
		tables      uint64
		cache       byteSize
		connections count
		garbage     byteSize
		lowered     int
	}{
		{"no limits", plenty, 16 << 30, 1 << 20, 0, 256 << 20, 10_000, 512 << 20, 0},
		{"files not known", plenty, 16 << 30, 0, 0, 256 << 20, 10_000, 512 << 20, 0},
		{"a machine of little memory", plenty, 1 << 30, 1 << 20, 0, 256 << 20, 10_000, 64 << 20, 0},
		{"a machine whose memory is not known", plenty, 0, 1 << 20, 0, 256 << 20, 10_000, 512 << 20, 0},
		{"memory that is enough", 1 << 30, 16 << 30, 1 << 20, 0, 256 << 20, 10_000, 256 << 20, 0},
		{"memory of a sidecar", 128 << 20, 16 << 30, 1 << 20, 0, 32 << 20, 10_000, 32 << 20, 1},
		{"files that are just enough", plenty, 16 << 30, 24_096, 0, 256 << 20, 10_000, 512 << 20, 0},
		{"one file less than that", plenty, 16 << 30, 24_094, 0, 256 << 20, 9_999, 512 << 20, 1},
		{"usual files of a login", plenty, 16 << 30, 1024, 0, 256 << 20, 384, 512 << 20, 1},
		{"few files", plenty, 16 << 30, 256, 0, 256 << 20, 64, 512 << 20, 1},
		{"usual files of a login, and a store of 1 GB", plenty, 16 << 30, 1024, 100, 256 << 20, 284, 512 << 20, 1},
		{"a store of 10 GB", plenty, 16 << 30, 4096, 800, 256 << 20, 736, 512 << 20, 1},
		{"a store that takes all files", plenty, 16 << 30, 1024, 800, 256 << 20, 64, 512 << 20, 1},
		{"files that are enough for a large store", plenty, 16 << 30, 24_096 + 2*800, 800, 256 << 20, 10_000, 512 << 20, 0},
		{"hardly any files", plenty, 16 << 30, 20, 0, 256 << 20, 1, 512 << 20, 1},
		{"little of both", 128 << 20, 16 << 30, 1024, 0, 32 << 20, 384, 32 << 20, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			core, said := observer.New(zapcore.InfoLevel)
			log := zap.New(core)
			cfg := fitFiles(fitMemory(defaultConfig(), test.memory, test.machine, log), test.files, test.tables, log)
			if cfg.Directory.Cache != test.cache || cfg.Limits.Connections != test.connections || cfg.Limits.Garbage != test.garbage {
				t.Errorf("a cache of %s, %d connections and %s of garbage, want %s, %d and %s", cfg.Directory.Cache, cfg.Limits.Connections, cfg.Limits.Garbage,
					test.cache, test.connections, test.garbage)
			}
			told := said.Filter(func(line observer.LoggedEntry) bool {
				return strings.Contains(line.Message, "lowered to what") || strings.Contains(line.Message, "lowered to a quarter")
			})
			if told.Len() != test.lowered {
				t.Errorf("of %d settings it is told that they are lowered, want %d: %v", told.Len(), test.lowered, said.All())
			}
		})
	}
}
