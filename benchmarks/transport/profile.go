package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// profile has the servers tell, for as long as the rounds take, where their processor time
// goes. The function that it returns waits for them, and writes it to a file.
func (b *bench) profile(ctx context.Context, path string, turn time.Duration, rounds int) (written func() error) {
	turns := 0
	for _, g := range b.groups {
		turns += len(g.rows)
	}
	over := time.Duration(rounds*turns) * turn
	var parts []string
	var told []chan error
	for i, p := range b.processes {
		if p.admin == "" {
			continue
		}
		part, done := filepath.Join(b.dir, fmt.Sprintf("%d.pb", i)), make(chan error, 1)
		parts, told = append(parts, part), append(told, done)
		go func() { done <- p.profile(ctx, part, over) }()
	}
	return func() error {
		var errs []error
		for _, done := range told {
			errs = append(errs, <-done)
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
		merged, err := exec.CommandContext(ctx, "go", append([]string{"tool", "pprof", "-proto"}, parts...)...).Output()
		if err != nil {
			return fmt.Errorf("putting the profiles together: %w", err)
		}
		return os.WriteFile(path, merged, 0o644)
	}
}

// profile writes the server's profile over a time.
func (p *process) profile(ctx context.Context, path string, over time.Duration) error {
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "unix", p.admin)
	}}}
	defer client.CloseIdleConnections()
	url := fmt.Sprintf("http://localhost/debug/pprof/profile?seconds=%d", max(1, int(over.Seconds())))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	profile, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("a server has no profile: %s: %s", response.Status, profile)
	}
	return os.WriteFile(path, profile, 0o600)
}
