package generate

import (
	"hash/fnv"
	"math/rand/v2"
)

// A source makes the choices of a case.
type source struct {
	first []byte
	then  *rand.Rand
}

func fromSeed(seed uint64) *source { return &source{then: rand.New(rand.NewPCG(seed, 0))} }

func fromBytes(data []byte) *source {
	hash := fnv.New64a()
	hash.Write(data)
	return &source{first: data, then: rand.New(rand.NewPCG(hash.Sum64(), 1))}
}

// below chooses one of 0 to n-1, of at most 256.
func (s *source) below(n int) int {
	if len(s.first) == 0 {
		return s.then.IntN(n)
	}
	chosen := int(s.first[0]) % n
	s.first = s.first[1:]
	return chosen
}

// chance is true so many times in a hundred.
func (s *source) chance(percent int) bool { return s.below(100) >= 100-percent }

// pick chooses one of several.
func pick[T any](s *source, from ...T) T { return from[s.below(len(from))] }

// A way is one of several ways to write something, chosen by its weight.
type way struct {
	weight int
	write  func() string
}

// oneOf writes in one of several ways.
func (s *source) oneOf(ways ...way) string {
	all := 0
	for _, w := range ways {
		all += w.weight
	}
	at := s.below(all)
	for _, w := range ways {
		if at < w.weight {
			return w.write()
		}
		at -= w.weight
	}
	return ""
}

// weightIf is the weight of a way that is open only under a condition.
func weightIf(open bool, weight int) int {
	if open {
		return weight
	}
	return 0
}
