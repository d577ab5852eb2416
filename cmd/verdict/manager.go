package main

import (
	"fmt"
	"net"
	"os"

	"go.uber.org/zap"
)

// What a service manager is told.
const (
	managerReady    = "READY=1"
	managerStopping = "STOPPING=1"
)

// A manager is the socket at which the service manager that started this process waits
// to be told how it stands, as sd_notify(3) says: systemd starts what comes after a unit
// of the type notify once that is ready. Nobody waits where it is empty.
type manager string

// managerOf is who has started this process.
func managerOf() manager { return manager(os.Getenv("NOTIFY_SOCKET")) }

// tell tells it a state.
func (m manager) tell(state string) error {
	if m == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: string(m), Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("telling the service manager (NOTIFY_SOCKET): %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("telling the service manager (NOTIFY_SOCKET): %w", err)
	}
	return nil
}

// tellManager tells the service's manager a state. It serves all the same where that fails.
func (s *service) tellManager(state string) {
	if err := s.manager.tell(state); err != nil {
		s.logger.Warn("the service manager does not hear how the service stands", zap.Error(err))
	}
}
