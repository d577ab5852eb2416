package main

import (
	"io/fs"
	"math"
	"os"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// What a process may take of its machine is decided around it: by a container's limit
// of memory, and by a limit of open files. Settings that do not fit into these are
// lowered when the server starts, and the log says so, for what is beyond them does not
// fail where it could be answered: the kernel ends a process that takes too much
// memory, and a store that cannot open a file cannot write.

const (
	// heapShare is the share of the memory that the garbage collector keeps to. The rest
	// is for stacks, for the kernel's buffers, and for pages of the store that are on
	// their way to the disk.
	heapShare = 0.8
	// cacheShare is the share of that which the cache of entities may have.
	cacheShare = 0.25
	// garbageShare is the share of it that garbage may have, and garbageOfMachine which part
	// of the machine's memory where there is no limit.
	garbageShare     = 0.25
	garbageOfMachine = 16
	// muchMemory is what the garbage collector keeps to where the store takes what it
	// likes to: below it, that would be most of the memory while it is written to.
	muchMemory = 256 << 20
	// A quarter of the files that may be open, within these bounds, are left to bundles,
	// to certificates and to what the store grows by while the server runs.
	minSpareFiles, maxSpareFiles = 128, 4096
	// tableFiles is how many files a table of the store takes: Badger's, and one in which
	// reads are verified.
	tableFiles = 2
	// leastShare is the part of the files that connections have in any case. A store that
	// has to do with fewer than it takes is read without being verified, and tells so.
	leastShare = 8
	// waysIn is how many addresses have connections.
	waysIn = 2
)

// fitResources lowers the settings for which there is no room, and tells whether the
// store has to do with little memory as well.
func fitResources(cfg config, logger *zap.Logger) (fitting config, lowMemory bool) {
	// automemlimit knows of containers in containers and of both kinds of control
	// groups, and leaves a GOMEMLIMIT that is set. The processors of a container are
	// Go's own to see to.
	memory, err := memlimit.Set(memlimit.WithRatio(heapShare))
	if err != nil {
		logger.Warn("the limit of memory cannot be read: set GOMEMLIMIT to four fifths of it", zap.Error(err))
		memory = math.MaxInt64
	}
	machine, _ := memlimit.FromSystem() // or 0, where it is not told
	return fitFiles(fitMemory(cfg, memory, machine, logger), maxOpenFiles(), tablesOf(cfg.Data), logger), memory < muchMemory
}

// fitMemory lowers the cache, and what garbage may take, to their shares of what the garbage
// collector keeps to; where there is no limit, the second to one of the machine's memory,
// which is 0 where it is not known.
func fitMemory(cfg config, memory int64, machine uint64, logger *zap.Logger) config {
	if memory == math.MaxInt64 {
		if most := byteSize(machine / garbageOfMachine); machine != 0 && cfg.Limits.Garbage > most {
			logger.Info("limits.garbage is lowered to a part of the machine's memory",
				zap.Stringer("limits.garbage", cfg.Limits.Garbage), zap.Stringer("lowered", most))
			cfg.Limits.Garbage = most
		}
		return cfg
	}
	cfg.Limits.Garbage = min(cfg.Limits.Garbage, byteSize(float64(memory)*garbageShare))
	most := byteSize(float64(memory) * cacheShare)
	logger.Info("memory is limited", zap.Stringer("heap", byteSize(memory)), zap.Stringer("directory.cache", min(cfg.Directory.Cache, most)),
		zap.Stringer("limits.garbage", cfg.Limits.Garbage))
	if cfg.Directory.Cache > most {
		logger.Log(levelOfLowering(cfg.Directory.Cache, defaultConfig().Directory.Cache), "directory.cache is lowered to a quarter of the memory that there is: set it lower, or give more memory",
			zap.Stringer("directory.cache", cfg.Directory.Cache), zap.Stringer("lowered", most))
		cfg.Directory.Cache = most
	}
	return cfg
}

// levelOfLowering is how loudly it is told that a setting was lowered: who set it does not
// get what they asked for, and of a default nobody did.
func levelOfLowering[T comparable](setting, byDefault T) zapcore.Level {
	if setting == byDefault {
		return zapcore.InfoLevel
	}
	return zapcore.WarnLevel
}

// tablesOf is how many tables a store has.
func tablesOf(dir string) uint64 {
	tables, _ := fs.Glob(os.DirFS(dir), "*.sst") // the pattern is well formed
	return uint64(len(tables))
}

// fitFiles lowers the connections to the files that the process may open, of which some
// are left to the store's tables and to everything else.
func fitFiles(cfg config, files, tables uint64, logger *zap.Logger) config {
	if files == 0 { // not known
		return cfg
	}
	spare := min(max(files/4, minSpareFiles), maxSpareFiles) + tableFiles*tables
	most := max(count(files-min(files, spare))/waysIn, count(files/leastShare)/waysIn, 1)
	if cfg.Limits.Connections > most {
		logger.Log(levelOfLowering(cfg.Limits.Connections, defaultConfig().Limits.Connections), "limits.connections is lowered to what the limit of open files leaves: set it lower, or raise that limit",
			zap.Int64("limits.connections", int64(cfg.Limits.Connections)), zap.Int64("lowered", int64(most)), zap.Uint64("open files", files), zap.Uint64("tables", tables))
		cfg.Limits.Connections = most
	}
	return cfg
}
