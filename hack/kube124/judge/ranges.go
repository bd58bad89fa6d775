package judge

// span is a range of numbers, both ends included.
type span struct{ min, max int64 }

// exact covers the used numbers and nothing else; neighbours share a span.
func exact(used map[int64]bool) []span {
	var spans []span
	for _, n := range sortedNumbers(used) {
		if last := len(spans) - 1; last >= 0 && spans[last].max+1 == n {
			spans[last].max = n
			continue
		}
		spans = append(spans, span{n, n})
	}
	return spans
}

// narrower gives every list one step tighter: one span removed, shortened at
// one end, or split around an unused number.
func narrower(spans []span, used map[int64]bool) [][]span {
	var out [][]span
	with := func(i int, replacement ...span) {
		next := append([]span(nil), spans[:i]...)
		next = append(next, replacement...)
		out = append(out, append(next, spans[i+1:]...))
	}
	for i, s := range spans {
		with(i)
		if s.min >= s.max {
			continue
		}
		with(i, span{s.min + 1, s.max})
		with(i, span{s.min, s.max - 1})
		// The first unused number inside is enough: any other gap is found
		// once this one is closed, and each is slack.
		n := s.min
		for _, u := range sortedNumbers(used) {
			if u == n {
				n++
			}
		}
		if n > s.min && n < s.max {
			with(i, span{s.min, n - 1}, span{n + 1, s.max})
		}
	}
	return out
}
