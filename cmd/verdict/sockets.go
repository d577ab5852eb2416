package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/goccy/go-yaml/ast"
)

// A socketsConfig is who can reach Unix sockets.
type socketsConfig struct {
	Mode  fileMode `yaml:"mode" env:"MODE"`
	Owner string   `yaml:"owner" env:"OWNER"`
	Group string   `yaml:"group" env:"GROUP"`
}

// defaultSockets are for the user alone that the service runs as.
func defaultSockets() socketsConfig { return socketsConfig{Mode: 0o600} }

// A fileMode is who may read and write a file, written 0660.
type fileMode fs.FileMode

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *fileMode) UnmarshalText(text []byte) error {
	mode, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || fs.FileMode(mode)&^fs.ModePerm != 0 {
		return fmt.Errorf("%q is no mode of a file: expected one in octal digits, such as 0660", text)
	}
	*m = fileMode(mode)
	return nil
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (m *fileMode) UnmarshalYAML(node ast.Node) error { return readScalar(node, m) }

// validate refuses users and groups that there are none of.
func (c socketsConfig) validate(refuse func(field, format string, args ...any)) {
	if _, err := c.owner(); err != nil {
		refuse("sockets.owner", "%s", err)
	}
	if _, err := c.group(); err != nil {
		refuse("sockets.group", "%s", err)
	}
}

// owner and group are ids, -1 for those that the service runs as.
func (c socketsConfig) owner() (int, error) {
	return systemID(c.Owner, func(name string) (string, error) {
		found, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return found.Uid, nil
	})
}

func (c socketsConfig) group() (int, error) {
	return systemID(c.Group, func(name string) (string, error) {
		found, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return found.Gid, nil
	})
}

func systemID(name string, lookUp func(string) (string, error)) (int, error) {
	if name == "" {
		return -1, nil
	}
	if id, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(id), nil
	}
	text, err := lookUp(name)
	if err != nil {
		return 0, fmt.Errorf("%q is not known to the system: expected a name or a number", name)
	}
	return strconv.Atoi(text)
}

// listen makes a socket. Until it is as it is to be it is its owner's alone, which
// keepFilesPrivate has seen to.
func (c socketsConfig) listen(path string) (_ net.Listener, err error) {
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, noSocket(path, err)
	}
	defer func() {
		if err != nil {
			listener.Close()
		}
	}()
	owner, err := c.owner()
	if err != nil {
		return nil, err
	}
	group, err := c.group()
	if err != nil {
		return nil, err
	}
	if owner >= 0 || group >= 0 {
		if err := os.Chown(path, owner, group); err != nil {
			return nil, fmt.Errorf("sockets.owner and sockets.group: %w: the user that verdict runs as has to be in the group, and only root gives a socket to another owner", err)
		}
	}
	return listener, os.Chmod(path, fs.FileMode(c.Mode))
}

// noSocket says why there can be no socket at a path, where the system's words do not.
func noSocket(path string, err error) error {
	longest := len(syscall.RawSockaddrUnix{}.Path) - 1
	switch {
	case len(path) > longest:
		return fmt.Errorf("%s is too long for a socket: the system takes paths of up to %d bytes", path, longest)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: there is no directory %s: make it, or name another", path, filepath.Dir(path))
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is there, and is no socket: remove it, or name another path", path)
	}
	return err
}
