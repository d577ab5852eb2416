package closure

// A pool is values that a machine has made, to be used again by the next
// evaluation.
type pool[T any] struct {
	made []*T
	used int
}

func (p *pool[T]) take() *T {
	if p.used == maxKept {
		return new(T)
	}
	if p.used == len(p.made) {
		p.made = append(p.made, new(T))
	}
	p.used++
	return p.made[p.used-1]
}

// forget empties those that were used.
func (p *pool[T]) forget(empty func(*T)) {
	for _, used := range p.made[:p.used] {
		empty(used)
	}
	p.used = 0
}

// maxKept bounds what is kept to be used again: how many values, and how large
// each. What an evaluation takes beyond is not kept, not even until its end.
const maxKept = 256
