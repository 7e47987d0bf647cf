package cli

// nearest returns the candidate that name was most likely meant to be, or "" if none is close.
// Close is at most a third of the letters wrong, and two letters for short names; a candidate that name begins is close too.
func nearest(name string, candidates []string) string {
	best, bestDistance := "", len(name)/3+1
	if bestDistance < 3 {
		bestDistance = 3
	}
	for _, c := range candidates {
		if len(name) >= 3 && len(c) > len(name) && c[:len(name)] == name {
			return c
		}
		if d := editDistance(name, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance counts the insertions, deletions, replacements and swaps of neighbours that turn a into b.
func editDistance(a, b string) int {
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}

// didYouMean is the sentence for a misspelt name, or "".
func didYouMean(name string, candidates []string) string {
	if n := nearest(name, candidates); n != "" {
		return "Did you mean " + n + "?"
	}
	return ""
}
