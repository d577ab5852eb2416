package authz

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestKindOf(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want Kind
	}{
		{"of its own", Errorf(NotFound, "no tenant %q", "x"), NotFound},
		{"wrapped", fmt.Errorf("reading: %w", Errorf(Unavailable, "closing")), Unavailable},
		{"any other", errors.New("disk on fire"), Internal},
		{"canceled", fmt.Errorf("waiting: %w", context.Canceled), Canceled},
		{"deadline", context.DeadlineExceeded, DeadlineExceeded},
		{"a kind wins over its cause", Errorf(LimitExceeded, "too slow: %w", context.DeadlineExceeded), LimitExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := KindOf(tt.err); got != tt.want {
				t.Errorf("kind = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestInField(t *testing.T) {
	inner := InvalidField("parents", "%q stands twice", "group:a")
	err := InField("changes[3]", inner)
	if got, want := err.Error(), `changes[3].parents: "group:a" stands twice`; got != want {
		t.Errorf("text = %q, want %q", got, want)
	}
	other := Errorf(Unavailable, "closing")
	if InField("changes[3]", other) != other {
		t.Error("an error of another kind is not left as it is")
	}
}

func TestJoinInvalidIsBounded(t *testing.T) {
	var errs []error
	for i := range maxViolations + 5 {
		errs = append(errs, InvalidField(indexed("f", i), "wrong"))
	}
	err := JoinInvalid(errs)
	if got := len(ViolationsOf(err)); got != maxViolations {
		t.Errorf("%d violations listed, want %d", got, maxViolations)
	}
	if got := err.(*Error).Message; got != "5 more are wrong" {
		t.Errorf("message = %q", got)
	}
	if JoinInvalid(nil) != nil {
		t.Error("no errors make an error")
	}
}
