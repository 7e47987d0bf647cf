package image

import (
	"iter"
	"slices"
	"strings"
)

// Configs is an immutable set of settings, sorted by name. A nil *Configs is the empty set.
type Configs struct{ entries []configEntry }

type configEntry struct{ name, value string }

func (c *Configs) find(name string) (int, bool) {
	if c == nil {
		return 0, false
	}
	return slices.BinarySearchFunc(c.entries, name, func(e configEntry, n string) int { return strings.Compare(e.name, n) })
}

// Get returns the value given for name.
func (c *Configs) Get(name string) (value string, ok bool) {
	i, ok := c.find(name)
	if !ok {
		return "", false
	}
	return c.entries[i].value, true
}

// Len is the number of settings.
func (c *Configs) Len() int {
	if c == nil {
		return 0
	}
	return len(c.entries)
}

// All yields every setting, sorted by name.
func (c *Configs) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if c == nil {
			return
		}
		for _, e := range c.entries {
			if !yield(e.name, e.value) {
				return
			}
		}
	}
}

// Map returns a copy as a map, for those who resolve settings by name; nil when empty.
func (c *Configs) Map() map[string]string {
	if c.Len() == 0 {
		return nil
	}
	m := make(map[string]string, len(c.entries))
	for _, e := range c.entries {
		m[e.name] = e.value
	}
	return m
}

// Equal reports whether two sets hold the same settings.
func (c *Configs) Equal(o *Configs) bool {
	if c == o {
		return true
	}
	return c.Len() == o.Len() && (c.Len() == 0 || slices.Equal(c.entries, o.entries))
}

// with returns the set with one setting given, or taken away where value is nil.
func (c *Configs) with(name string, value *string) *Configs {
	i, found := c.find(name)
	var entries []configEntry
	if c != nil {
		entries = c.entries
	}
	switch {
	case value == nil && !found:
		return c
	case value == nil && len(entries) == 1:
		return nil
	case value == nil:
		return &Configs{slices.Delete(slices.Clone(entries), i, i+1)}
	case found:
		entries = slices.Clone(entries)
		entries[i].value = *value
		return &Configs{entries}
	default:
		return &Configs{slices.Insert(slices.Clip(entries), i, configEntry{name, *value})}
	}
}
