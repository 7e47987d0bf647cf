package config

import "slices"

// AppendList is the result of an APPEND on a list value: items that are not in it yet come last, in order.
func AppendList(value, items string) string {
	list := SplitList(value)
	for _, item := range SplitList(items) {
		if !slices.Contains(list, item) {
			list = append(list, item)
		}
	}
	return joinList(list)
}

// SubtractList is the result of a SUBTRACT on a list value: the items are gone, what is not there is no error.
func SubtractList(value, items string) string {
	gone := SplitList(items)
	return joinList(slices.DeleteFunc(SplitList(value), func(item string) bool { return slices.Contains(gone, item) }))
}

func joinList(items []string) string {
	out := ""
	for i, item := range items {
		if i > 0 {
			out += ","
		}
		out += item
	}
	return out
}
