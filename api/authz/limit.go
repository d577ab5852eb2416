package authz

import (
	"errors"
	"fmt"
)

// A Limit says which limit an error of kind LimitExceeded or Overloaded is about, for
// those who count how often each is reached. The text of the error is for people.
type Limit uint8

const (
	// OtherLimit is a limit that has no name here.
	OtherLimit Limit = iota
	// InputLimit bounds the size of a request to decide.
	InputLimit
	// EvaluationLimit bounds the time that the policy runs.
	EvaluationLimit
	// StepsLimit bounds what the policy does.
	StepsLimit
	// EntitiesLimit bounds how many entities the policy reads.
	EntitiesLimit
	// AncestorsLimit bounds how many ancestors an entity may have.
	AncestorsLimit
	// GrantsLimit bounds how many grants of its own a subject may have.
	GrantsLimit
	// BatchLimit bounds the time that a batch takes.
	BatchLimit
	// MessageLimit bounds the size, or the number of parts, of a message received.
	MessageLimit
	// WriteLimit bounds what one batch of changes may come to.
	WriteLimit
	// ConnectionsLimit bounds the connections of an address.
	ConnectionsLimit
	// ConnectionsPerPeerLimit bounds those of one peer.
	ConnectionsPerPeerLimit
	// CallsLimit bounds the calls, or requests over HTTP, that an address has open.
	CallsLimit
	// CallsPerPeerLimit bounds those of one peer.
	CallsPerPeerLimit
	// InFlightLimit bounds the bytes that they have an address hold.
	InFlightLimit
	// TransferLimit bounds how long a message may take to come, or an answer to be taken.
	TransferLimit
	limitCount
)

var limitNames = [limitCount]string{
	OtherLimit: "other", InputLimit: "input", EvaluationLimit: "evaluation", StepsLimit: "steps",
	EntitiesLimit: "entities", AncestorsLimit: "ancestors", GrantsLimit: "grants", BatchLimit: "batch",
	MessageLimit: "message", WriteLimit: "write",
	ConnectionsLimit: "connections", ConnectionsPerPeerLimit: "connections_per_peer",
	CallsLimit: "calls", CallsPerPeerLimit: "calls_per_peer", InFlightLimit: "in_flight", TransferLimit: "transfer",
}

// String is the limit's name in metrics: the last part of the setting where there is
// one, such as "steps" of limits.steps.
func (l Limit) String() string {
	if l < limitCount {
		return limitNames[l]
	}
	return limitNames[OtherLimit]
}

// Limits are all limits that have a name, OtherLimit first.
func Limits() []Limit {
	all := make([]Limit, limitCount)
	for i := range all {
		all[i] = Limit(i)
	}
	return all
}

// Exceeded makes an error of kind LimitExceeded about a limit. A %w in the format
// becomes its cause.
func Exceeded(limit Limit, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: LimitExceeded, Limit: limit, Message: err.Error(), Err: errors.Unwrap(err)}
}

// LimitOf is the limit that err is about, OtherLimit where it names none.
func LimitOf(err error) Limit {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return OtherLimit
		}
		if e.Limit != OtherLimit {
			return e.Limit
		}
		err = e.Err
	}
	return OtherLimit
}
