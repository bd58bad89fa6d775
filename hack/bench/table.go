package main

import (
	"fmt"
	"strings"
)

// report is the result of a run.
type report struct {
	sections []*section
	growth   []grown
}

// grown is a section for a number of pods.
type grown struct {
	pods int
	*section
}

// markdown returns the tables. They have no times, which are those of one machine, but
// ratios.
func (r report) markdown() string {
	var text strings.Builder
	for _, s := range r.sections {
		if len(s.results) > 0 {
			s.table(&text)
		}
	}
	r.growthTable(&text)
	return text.String()
}

func (s *section) table(text *strings.Builder) {
	fmt.Fprintf(text, "\n### %s\n\n| way | user CPU | wall | peak RSS | bytes | requests |\n|---|---|---|---|---|---|\n", s.title)
	base := s.results[s.reference]
	for _, w := range s.ways {
		one := s.results[w.name]
		fmt.Fprintf(text, "| %s | %s | %s | %d MiB | %s | %s |\n", w.name,
			ratio(one.user, base.user), ratio(one.wall, base.wall), one.peak>>20, ratio(one.bytes, base.bytes), ratio(one.requests, base.requests))
	}
}

// ratio returns how many times the base a figure is.
func ratio[N ~int64](n, base N) string {
	if base == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", float64(n)/float64(base))
}

// growthTable has a row for each way, and a column for each number of pods.
func (r report) growthTable(text *strings.Builder) {
	var columns []grown
	for _, g := range r.growth {
		if len(g.results) > 0 {
			columns = append(columns, g)
		}
	}
	if len(columns) == 0 {
		return
	}
	text.WriteString("\n### Growth\n\nUser CPU, wall, peak RSS by the number of pods:\n\n| way |")
	for _, g := range columns {
		fmt.Fprintf(text, " %d |", g.pods)
	}
	text.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, w := range columns[0].ways {
		fmt.Fprintf(text, "| %s |", w.name)
		for _, g := range columns {
			one, base := g.results[w.name], g.results[g.reference]
			fmt.Fprintf(text, " %s, %s, %d MiB |", ratio(one.user, base.user), ratio(one.wall, base.wall), one.peak>>20)
		}
		text.WriteString("\n")
	}
}
