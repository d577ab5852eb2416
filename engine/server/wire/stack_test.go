package wire

import "testing"

// BenchmarkStack is what a goroutine of its own takes to call deeply.
func BenchmarkStack(b *testing.B) {
	for name, first := range map[string]func(){"as it grows": func() {}, "deepened": func() { deepen(false) }} {
		b.Run(name, func(b *testing.B) {
			done := make(chan byte)
			for b.Loop() {
				go func() {
					first()
					done <- call(100)
				}()
				<-done
			}
		})
	}
}

// call calls itself, with some of the stack for each.
//
//go:noinline
func call(deep int) byte {
	var frame [64]byte
	frame[deep%len(frame)] = byte(deep)
	if deep > 0 {
		return frame[0] + call(deep-1)
	}
	return frame[1]
}
