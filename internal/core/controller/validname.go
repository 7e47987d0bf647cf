package controller

// ValidTopicName reports whether a topic may have this name.
func ValidTopicName(name string) bool { return checkTopicName(name) == nil }
