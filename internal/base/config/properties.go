package config

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxPropertiesBytes bounds a properties file; Kafka's own is 7 KiB.
const maxPropertiesBytes = 1 << 20

// ParseProperties reads Java properties as java.util.Properties does - comments with # and !, continued lines,
// = or : or blanks between key and value, \t \n \r \f \uXXXX - except that the text is UTF-8. The origin of
// each entry is name and the line its key stands on. Entries are in file order, repeated keys included.
func ParseProperties(name string, r io.Reader) ([]Entry, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxPropertiesBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(data) > maxPropertiesBytes {
		return nil, fmt.Errorf("%s is larger than 1 MiB: this is no properties file", name)
	}
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return nil, fmt.Errorf("%s is not UTF-8 text: this is no properties file", name)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	var entries []Entry
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxPropertiesBytes+1)
	lines.Split(splitLines)
	for n := 1; lines.Scan(); n++ {
		first, line := n, trimLeft(lines.Text())
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		var logical strings.Builder
		for continues(line) {
			logical.WriteString(line[:len(line)-1])
			line = ""
			if lines.Scan() {
				n++
				line = trimLeft(lines.Text())
			}
		}
		logical.WriteString(line)
		key, value := splitProperty(logical.String())
		origin := fmt.Sprintf("%s line %d", name, first)
		k, err1 := unescape(key)
		v, err2 := unescape(value)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("%s: \\u must be followed by four hexadecimal digits", origin)
		}
		entries = append(entries, Entry{Key: k, Value: v, Origin: origin})
	}
	return entries, lines.Err()
}

// splitLines ends a line at \n, \r or \r\n, as Java does.
func splitLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	i := bytes.IndexAny(data, "\r\n")
	switch {
	case i < 0 && atEOF && len(data) > 0:
		return len(data), data, nil
	case i < 0 || (data[i] == '\r' && i+1 == len(data) && !atEOF):
		return 0, nil, nil
	case data[i] == '\r' && i+1 < len(data) && data[i+1] == '\n':
		return i + 2, data[:i], nil
	}
	return i + 1, data[:i], nil
}

func trimLeft(s string) string { return strings.TrimLeft(s, " \t\f") }

// continues: an odd number of backslashes ends the line.
func continues(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

func splitProperty(line string) (key, value string) {
	end := len(line)
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
			continue
		}
		if strings.IndexByte("=: \t\f", line[i]) >= 0 {
			end = i
			break
		}
	}
	value = trimLeft(line[end:])
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = trimLeft(value[1:])
	}
	return line[:end], value
}

func unescape(s string) (string, error) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, nil
	}
	var out strings.Builder
	var units []uint16 // a run of \uXXXX, for surrogate pairs
	flush := func() { out.WriteString(string(utf16.Decode(units))); units = units[:0] }
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			flush()
			if s[i] != '\\' {
				out.WriteByte(s[i])
			}
			continue
		}
		i++
		if s[i] == 'u' {
			if i+4 >= len(s) {
				return "", strconv.ErrSyntax
			}
			u, err := strconv.ParseUint(s[i+1:i+5], 16, 16)
			if err != nil {
				return "", err
			}
			units = append(units, uint16(u))
			i += 4
			continue
		}
		flush()
		if at := strings.IndexByte("tnrf", s[i]); at >= 0 {
			out.WriteByte("\t\n\r\f"[at])
		} else {
			out.WriteByte(s[i])
		}
	}
	flush()
	return out.String(), nil
}
