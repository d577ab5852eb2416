package main

import "testing"

func TestGrowthIsFound(t *testing.T) {
	steady := func(n int) sample { return sample{100, 50, 64 << 20, 200 << 20} }
	growing := func(of int, by float64) func(int) sample {
		return func(n int) sample {
			s := steady(n)
			s[of] += by * float64(n)
			return s
		}
	}
	tests := []struct {
		name  string
		at    func(n int) sample
		grows bool
	}{
		{"steady", steady, false},
		{"a goroutine a round", growing(0, 2), true},
		{"a file a round", growing(1, 3), true},
		{"a megabyte a round", growing(2, 4<<20), true},
		{"resident memory", growing(3, 10<<20), true},
		{"within what may be", growing(0, 1), false},
		{"what fills in the first quarter", func(n int) sample {
			s := steady(n)
			if n < 5 {
				s[2] = float64(n)
			}
			return s
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var samples []sample
			for n := range 20 {
				samples = append(samples, tt.at(n))
			}
			if err := compare(samples); (err != nil) != tt.grows {
				t.Errorf("compare: %v", err)
			}
		})
	}
}
