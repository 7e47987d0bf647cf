//go:build !invariants

package invariant

// Enabled tells whether costly checks run: build with -tags invariants.
const Enabled = false
