package client

import "sync"

// A budget lets something be done again as long as it is rare: each success earns
// a tenth of what doing it again costs. When all of a server's answers turn bad,
// what is left is spent and no more.
type budget struct {
	mu     sync.Mutex
	tenths int
}

const (
	maxTenths = 10 * maxTokens
	// maxTokens is how often a thing can be done again without any success
	// between.
	maxTokens = 100
)

func newBudget() budget { return budget{tenths: maxTenths} }

// spend takes what doing it again costs, if it is there.
func (b *budget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tenths < 10 {
		return false
	}
	b.tenths -= 10
	return true
}

// earn notes a success.
func (b *budget) earn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tenths = min(b.tenths+1, maxTenths)
}
