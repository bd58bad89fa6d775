package manifest

import "bytes"

// maxScanned is how deep a scanner goes; encoding/json goes to 10,000.
const maxScanned = 1000

// none is where something ends that is not valid, or too deep to know.
const none = -1

// scanner finds where JSON values end, and checks them, in one pass and without a copy.
// What it takes for valid is valid for encoding/json; what is not, it leaves to
// encoding/json, which says why.
type scanner struct {
	data []byte
	// depth is how many objects and lists there are around what is scanned.
	depth int
}

// space returns where the white space ends that begins at i.
func (s *scanner) space(i int) int {
	for i < len(s.data) && (s.data[i] == ' ' || s.data[i] == '\n' || s.data[i] == '\t' || s.data[i] == '\r') {
		i++
	}
	return i
}

// at returns a character, 0 at the end.
func (s *scanner) at(i int) byte {
	if i < len(s.data) {
		return s.data[i]
	}
	return 0
}

// value returns where the value ends that begins at i.
func (s *scanner) value(i int) int {
	switch c := s.at(i); c {
	case '{':
		return s.object(i, nil)
	case '[':
		return s.list(i, nil)
	case '"':
		return s.text(i)
	case 't':
		return s.word(i, "true")
	case 'f':
		return s.word(i, "false")
	case 'n':
		return s.word(i, "null")
	default:
		return s.number(i)
	}
}

// object returns where the object ends that begins at i. If there is a visit, it is
// called with each key, as it is written, and returns where the value ends that begins
// at i.
func (s *scanner) object(i int, visit func(key []byte, i int) int) int {
	return s.block(i, '}', func(i int) int {
		end := s.text(i)
		if end == none {
			return none
		}
		key := s.data[i:end]
		i = s.space(end)
		if s.at(i) != ':' {
			return none
		}
		i = s.space(i + 1)
		if visit != nil {
			return visit(key, i)
		}
		return s.value(i)
	})
}

// list returns where the list ends that begins at i. If there is a visit, it returns
// where the element ends that begins at i.
func (s *scanner) list(i int, visit func(i int) int) int {
	if visit == nil {
		visit = s.value
	}
	return s.block(i, ']', visit)
}

// block returns where the object or list ends that begins at i; part returns where each
// part of it ends.
func (s *scanner) block(i int, end byte, part func(i int) int) int {
	if s.depth++; s.depth > maxScanned {
		return none
	}
	i = s.space(i + 1)
	if s.at(i) == end {
		s.depth--
		return i + 1
	}
	for {
		if i = part(i); i == none {
			return none
		}
		switch i = s.space(i); s.at(i) {
		case end:
			s.depth--
			return i + 1
		case ',':
			i = s.space(i + 1)
		default:
			return none
		}
	}
}

// text returns where the string ends that begins at i.
func (s *scanner) text(i int) int {
	if s.at(i) != '"' {
		return none
	}
	for i++; i < len(s.data); i++ {
		switch c := s.data[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return none
		case c == '\\':
			i++
			switch s.at(i) {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for range 4 {
					if i++; !isHex(s.at(i)) {
						return none
					}
				}
			default:
				return none
			}
		}
	}
	return none
}

func isHex(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func (s *scanner) word(i int, word string) int {
	if !bytes.HasPrefix(s.data[i:], []byte(word)) {
		return none
	}
	return i + len(word)
}

// number returns where the number ends that begins at i.
func (s *scanner) number(i int) int {
	if s.at(i) == '-' {
		i++
	}
	if s.at(i) == '0' {
		i++
	} else if i = s.digits(i); i == none {
		return none
	}
	if s.at(i) == '.' {
		if i = s.digits(i + 1); i == none {
			return none
		}
	}
	if s.at(i) == 'e' || s.at(i) == 'E' {
		if i++; s.at(i) == '+' || s.at(i) == '-' {
			i++
		}
		return s.digits(i)
	}
	return i
}

// digits returns where at least one digit ends.
func (s *scanner) digits(i int) int {
	start := i
	for isDigit(s.at(i)) {
		i++
	}
	if i == start {
		return none
	}
	return i
}

// compact appends valid JSON without the white space around values. Decoders inspect each
// character several times, and half of them may be indentation.
func compact(out, data []byte) []byte {
	start := 0 // of what is not appended yet
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			for i++; data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
		case ' ', '\n', '\t', '\r':
			out = append(out, data[start:i]...)
			start = (&scanner{data: data}).space(i)
			i = start - 1
		}
	}
	return append(out, data[start:]...)
}
