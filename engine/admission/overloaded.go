package admission

import (
	"math/rand/v2"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// When to try again is not before leastRetry, when what is there now may be done, nor
// after mostRetry, which may be long after everything is.
const (
	leastRetry = 100 * time.Millisecond
	mostRetry  = 5 * time.Second
)

// overloaded is the error of what would have to wait for about so long. Not all who
// get it at a time are told to come back at one.
func overloaded(wait time.Duration) error {
	after := min(max(wait, leastRetry), mostRetry)
	return &authz.Error{
		Kind:       authz.Overloaded,
		Message:    "there is more to decide than can be decided in time: try again later, or ask for less at a time",
		RetryAfter: after/2 + rand.N(after),
	}
}
