// Package faults injects faults between a client and an API server.
//
// Input is a Schedule: which requests go wrong, and how. Output is a Transport, which a
// test in a bubble of testing/synctest puts before a server without a network, or a
// proxy that listens (Server), before a real one. Whether a fault occurs depends on the
// number of matching requests before, not on time, so a schedule that makes a test fail
// makes it fail again. A schedule is printed as JSON, which Parse reads back.
package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Schedule is the faults that occur.
type Schedule []Fault

// Fault is something that goes wrong with some requests.
type Fault struct {
	Kind Kind `json:"kind"`
	// Verb and Resource choose requests; empty means all. The resource is that of the
	// URL, such as "pods".
	Verb     Verb   `json:"verb,omitempty"`
	Resource string `json:"resource,omitempty"`
	// Page chooses a page of lists, beginning with 1; 0 means all.
	Page int `json:"page,omitempty"`
	// From is the first of the requests that are chosen so far, beginning with 1, that
	// goes wrong; 0 means 1.
	From int `json:"from,omitempty"`
	// Times is the number of requests that go wrong; 0 means 1, and Always all.
	Times int `json:"times,omitempty"`
	// At is where in the response the fault occurs: for a watch, the number of events
	// before it; for other responses per mille of the bytes. For Shortened, -n means
	// after n fields of the outermost protobuf message. For Slow, it is the number of
	// milliseconds between bytes. For Skewed, it is hours.
	At int `json:"at,omitempty"`
	// Packed: the fault is in the compressed response, if the client takes one. It is for
	// what occurs at some part of the bytes, on the way.
	Packed bool `json:"packed,omitempty"`
	// Code of Answered and ErrorEvent.
	Code int `json:"code,omitempty"`
	// Body of Answered; empty means a Status.
	Body Body `json:"body,omitempty"`
	// RetryAfter is the header of Answered in seconds; 0 means none.
	RetryAfter int `json:"retryAfter,omitempty"`
}

// Always is a number of requests.
const Always = -1

// Verb is what a request does: one of those below. All writes are the same here.
type Verb string

// The verbs.
const (
	List  Verb = "list"
	Get   Verb = "get"
	Watch Verb = "watch"
	Write Verb = "write"
	// Discovery is a request about the server: its version and what it serves.
	Discovery Verb = "discovery"
)

// Kind is what goes wrong.
type Kind string

// The kinds. Those of the request never reach the server, except Lost.
const (
	// Refused: the connection is refused; by a proxy that listens, it is reset before a
	// response.
	Refused Kind = "refused"
	// Closed: the connection is closed before a response.
	Closed Kind = "closed"
	// Lost: the server does what is requested, then the connection is reset.
	Lost Kind = "lost"
	// Answered: something else answers, with Code and Body.
	Answered Kind = "answered"
	// Reset: the connection is reset within the body.
	Reset Kind = "reset"
	// Truncated: the connection is closed within the body.
	Truncated Kind = "truncated"
	// Shortened: the body ends early, and properly for HTTP.
	Shortened Kind = "shortened"
	// Corrupted: some bytes of the framing are overwritten: lengths and tags of
	// protobuf, the syntax of JSON. Nobody can detect another byte within a string.
	Corrupted Kind = "corrupted"
	// Slow: the first bytes of the body arrive one by one.
	Slow Kind = "slow"
	// Silent: there is no response; or, after some events, no more of a watch.
	Silent Kind = "silent"
	// Ended: the watch ends, properly.
	Ended Kind = "ended"
	// ErrorEvent: the watch has an event of type ERROR with Code, and ends.
	ErrorEvent Kind = "errorEvent"
	// Skewed: the clock of the server is wrong, in the header and in Leases.
	Skewed Kind = "skewed"
	// Rotated: the token that the client has used so far is no longer valid.
	Rotated Kind = "rotated"
	// Upgraded: the server has another version.
	Upgraded Kind = "upgraded"
	// Dropped: a page is missing from the list, which no client can detect. It is for
	// tests of tests and never part of a random schedule.
	Dropped Kind = "dropped"
)

// Body is what Answered sends.
type Body string

// The bodies.
const (
	// HTML is what load balancers send.
	HTML Body = "html"
	// Empty is no body at all.
	Empty Body = "empty"
)

// String returns the schedule as JSON in one line.
func (s Schedule) String() string {
	data, err := json.Marshal(s)
	if err != nil {
		return err.Error() // not of these types
	}
	return string(data)
}

// Parse reads what String returns.
func Parse(text string) (Schedule, error) {
	var s Schedule
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return nil, fmt.Errorf("reading the schedule: %w", err)
	}
	return s, nil
}

// called are the words of messages for a resource, where they are others.
var called = map[string][]string{
	"version": {"the server's version"}, "apis": {"checking whether the server serves"}, "configmaps": {"ConfigMap", "the index"},
}

// NamedIn reports whether a message names what some fault is about.
func (s Schedule) NamedIn(message string) bool {
	return slices.ContainsFunc(s, func(f Fault) bool {
		words, ok := called[f.Resource]
		if !ok {
			words = []string{f.Resource}
		}
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(message, word) })
	})
}

// matches reports whether a fault is about a request.
func (f Fault) matches(q request) bool {
	return (f.Verb == "" || f.Verb == q.verb) && (f.Resource == "" || f.Resource == q.resource) &&
		(f.Page == 0 || q.verb == List && f.Page == q.page) &&
		// Only a continue token expires.
		(f.Code != http.StatusGone || q.verb != List || q.page > 1)
}

// due reports whether the n-th matching request goes wrong.
func (f Fault) due(n int) bool {
	n -= max(f.From, 1)
	return n >= 0 && (f.Times == Always || n < max(f.Times, 1))
}

// Shrink returns a schedule that still fails although all faults of which any could be
// removed or made simpler were: a smaller one is easier to understand.
func Shrink(s Schedule, fails func(Schedule) bool) Schedule {
	for {
		smaller, ok := shrinkOnce(s, fails)
		if !ok {
			return s
		}
		s = smaller
	}
}

func shrinkOnce(s Schedule, fails func(Schedule) bool) (Schedule, bool) {
	for i := range s {
		without := append(append(Schedule{}, s[:i]...), s[i+1:]...)
		if len(without) > 0 && fails(without) {
			return without, true
		}
	}
	for i := range s {
		for _, simpler := range s[i].simpler() {
			with := append(Schedule{}, s...)
			with[i] = simpler
			if fails(with) {
				return with, true
			}
		}
	}
	return nil, false
}

// simpler returns faults with one number less.
func (f Fault) simpler() []Fault {
	var list []Fault
	add := func(change func(*Fault)) {
		changed := f
		change(&changed)
		if changed != f {
			list = append(list, changed)
		}
	}
	add(func(f *Fault) { f.From = 0 })
	add(func(f *Fault) { f.Times = 0 })
	add(func(f *Fault) { f.Page = 0 })
	add(func(f *Fault) { f.At = 0 })
	add(func(f *Fault) { f.Body = "" })
	add(func(f *Fault) { f.RetryAfter = 0 })
	if f.From > 1 {
		add(func(f *Fault) { f.From-- })
	}
	if f.Times > 1 {
		add(func(f *Fault) { f.Times-- })
	}
	return list
}
