package faults

import (
	"math/rand/v2"
	"net/http"
)

// Requests are what a command requests: resources by verb.
type Requests map[Verb][]string

// ofRequests are the kinds of faults that requests of each verb can have.
var ofRequests = map[Verb][]Kind{
	List:      {Refused, Closed, Lost, Answered, Answered, Answered, Reset, Truncated, Shortened, Shortened, Corrupted, Corrupted, Slow, Silent, Skewed},
	Get:       {Refused, Closed, Lost, Answered, Answered, Reset, Truncated, Shortened, Corrupted, Slow, Silent, Skewed},
	Watch:     {Refused, Closed, Answered, Answered, Reset, Truncated, Corrupted, Slow, Silent, Ended, ErrorEvent},
	Write:     {Refused, Closed, Lost, Answered, Answered, Silent, Slow, Reset, Shortened},
	Discovery: {Refused, Closed, Answered, Truncated, Shortened, Corrupted, Silent, Slow, Upgraded},
}

// answers are what Answered sends, with Times that are likely.
var answers = []struct {
	Fault
	lasting bool // as likely for good as for a while
}{
	{Fault{Code: http.StatusGone}, false},
	{Fault{Code: http.StatusGone}, false},
	{Fault{Code: http.StatusTooManyRequests}, false},
	{Fault{Code: http.StatusTooManyRequests, RetryAfter: 1}, false},
	{Fault{Code: http.StatusTooManyRequests, RetryAfter: 5}, false},
	{Fault{Code: http.StatusInternalServerError}, false},
	{Fault{Code: http.StatusServiceUnavailable}, false},
	{Fault{Code: http.StatusServiceUnavailable, RetryAfter: 2}, false},
	{Fault{Code: http.StatusServiceUnavailable, Body: HTML}, false},
	{Fault{Code: http.StatusBadGateway, Body: HTML}, false},
	{Fault{Code: http.StatusGatewayTimeout, Body: Empty}, false},
	{Fault{Code: http.StatusOK, Body: HTML}, false},
	{Fault{Code: http.StatusOK, Body: Empty}, false},
	{Fault{Code: http.StatusUnauthorized}, true},
	{Fault{Code: http.StatusForbidden}, true},
	{Fault{Code: http.StatusNotFound}, true},
}

// Random returns a schedule of one to four faults in some of these requests.
func Random(r *rand.Rand, about Requests) Schedule {
	var verbs []Verb
	for _, verb := range []Verb{List, Get, Watch, Write, Discovery} { // in this order, unlike in the map
		if len(about[verb]) > 0 {
			verbs = append(verbs, verb)
		}
	}
	var s Schedule
	for range 1 + r.IntN(4) {
		verb := verbs[r.IntN(len(verbs))]
		f := Fault{Verb: verb, Kind: pick(r, ofRequests[verb]), Resource: pick(r, about[verb]), From: r.IntN(4)}
		if verb == List {
			f.Page = r.IntN(4)
		}
		// An attempt, some, all of a client that tries five times, and more.
		f.Times = pick(r, []int{0, 0, 2, 3, 5, 8})
		switch f.Kind {
		case Answered:
			answer := pick(r, answers)
			f.Code, f.Body, f.RetryAfter = answer.Code, answer.Body, answer.RetryAfter
			if answer.lasting && r.IntN(2) == 0 {
				f.Times = Always
			}
			if f.Code == http.StatusGone && verb != List && verb != Watch {
				f.Code = http.StatusServiceUnavailable // no token expires
			}
		case ErrorEvent:
			f.Code, f.At = pick(r, []int{http.StatusGone, http.StatusInternalServerError}), r.IntN(4)
		case Reset, Truncated, Corrupted:
			f.At = r.IntN(1000)
			if verb == Watch {
				f.At = r.IntN(4)
			}
			f.Packed = verb == List && r.IntN(2) == 0
		case Shortened:
			f.At = pick(r, []int{r.IntN(1000), -1, -2})
			f.Packed = verb == List && f.At >= 0
		case Ended:
			f.At = r.IntN(4)
		case Silent:
			f.Times = 0 // each takes as long as a client's patience
			if verb == Watch {
				f.At = r.IntN(4)
			}
		case Slow:
			f.At = pick(r, []int{1, 10})
		case Skewed:
			f.At, f.Times = pick(r, []int{-24, -1, 1, 24}), Always
		case Upgraded:
			f.Times = Always
		case Refused, Closed, Lost, Rotated, Dropped:
		}
		s = append(s, f)
	}
	return s
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }
