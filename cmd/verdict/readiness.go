package main

import (
	"errors"

	"github.com/verdictpdp/verdict/api/authz"
)

// A server is ready once each tenant's policy was tried and one of them decides. A
// tenant whose policy is refused does not take the others down: those who ask for it
// are told that it is unavailable, and may ask another server. Where no tenant can be
// served, and from when on the server drains, it is not ready; nor is it once damage to
// its store was found. A server that refuses writes, since its disk is full, decides on,
// and so is ready.

// ready says what keeps the server from being ready; nil when it is.
func (s *service) ready() error {
	if s.draining.Load() {
		return authz.Errorf(authz.Unavailable, "the server is shutting down")
	}
	if s.directory.Damage() != nil { // which may name what a tenant has
		return authz.Errorf(authz.Unavailable, "the directory is damaged, and the log says where: restore it from a backup")
	}
	var untried, failed []error
	all := s.programs.Status()
	for _, status := range all {
		switch {
		case status.Revision != "":
		case status.LastError != "":
			failed = append(failed, authz.Errorf(authz.Unavailable, "tenant %s has no active policy: %s", status.Tenant, status.LastError))
		default:
			untried = append(untried, authz.Errorf(authz.Unavailable, "tenant %s has no active policy yet", status.Tenant))
		}
	}
	if len(untried) > 0 || len(failed) == len(all) {
		return errors.Join(append(untried, failed...)...)
	}
	return nil
}

// amiss says what does not work although the server is ready; nil when all does.
func (s *service) amiss() error {
	var errs []error
	if err := s.directory.Refused(); err != nil {
		errs = append(errs, authz.Errorf(authz.Unavailable, "writes are refused: %w", err))
	}
	if tables := s.directory.Unverified(); tables > 0 {
		errs = append(errs, authz.Errorf(authz.Unavailable, "reads are not verified in %d tables of the store, since the process has too many files open: raise its limit of open files", tables))
	}
	for _, status := range s.programs.Status() {
		if status.Revision == "" {
			errs = append(errs, authz.Errorf(authz.Unavailable, "tenant %s has no active policy: %s", status.Tenant, status.LastError))
		}
	}
	return errors.Join(errs...)
}
