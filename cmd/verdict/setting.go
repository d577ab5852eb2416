package main

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"go.uber.org/zap/zapcore"
)

// The types of settings. Each is read from text, in the file and in the
// environment alike, and says what it expects when the text is something else.

// A byteSize is a number of bytes, written 1048576, 1MiB or 1MB.
type byteSize int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *byteSize) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil || n > math.MaxInt64/2 {
		return fmt.Errorf("%q is no size: expected bytes or a size such as 256MiB", text)
	}
	*b = byteSize(n)
	return nil
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (b *byteSize) UnmarshalYAML(node ast.Node) error { return readScalar(node, b) }

// String is the size as people write it.
func (b byteSize) String() string { return strings.ReplaceAll(humanize.IBytes(uint64(b)), " ", "") }

// A duration is written 100ms, 10s or 24h.
type duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration: expected one such as 100ms, 10s or 24h", text)
	}
	*d = duration(parsed)
	return nil
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (d *duration) UnmarshalYAML(node ast.Node) error { return readScalar(node, d) }

// String is the duration as it is written.
func (d duration) String() string { return time.Duration(d).String() }

// A count is a whole number.
type count int

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *count) UnmarshalText(text []byte) error {
	parsed, err := strconv.Atoi(string(text))
	if err != nil {
		return fmt.Errorf("%q is no whole number: expected one such as 10000", text)
	}
	*c = count(parsed)
	return nil
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (c *count) UnmarshalYAML(node ast.Node) error { return readScalar(node, c) }

// A logLevel is debug, info, warn or error.
type logLevel zapcore.Level

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *logLevel) UnmarshalText(text []byte) error {
	var parsed zapcore.Level
	if err := parsed.UnmarshalText(text); err != nil || parsed > zapcore.ErrorLevel {
		return fmt.Errorf("%q is no level: expected debug, info, warn or error", text)
	}
	*l = logLevel(parsed)
	return nil
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (l *logLevel) UnmarshalYAML(node ast.Node) error { return readScalar(node, l) }

var (
	// errNoScalar is a list or an object in the place of a setting.
	errNoScalar = errors.New("expected one value")
	// errNoBoolean and errNoNumber are texts in the place of what the libraries read.
	errNoBoolean = errors.New("expected true or false")
	errNoNumber  = errors.New("expected a number, such as 0.01")
)

// readScalar reads a setting out of a configuration file. Its error shows the
// line.
func readScalar(node ast.Node, to encoding.TextUnmarshaler) error {
	if tag, ok := node.(*ast.TagNode); ok {
		node = tag.Value
	}
	err := errNoScalar
	if scalar, ok := node.(ast.ScalarNode); ok {
		err = to.UnmarshalText([]byte(scalar.GetToken().Value))
	}
	if err != nil {
		return &yaml.SyntaxError{Message: err.Error(), Token: node.GetToken()}
	}
	return nil
}
