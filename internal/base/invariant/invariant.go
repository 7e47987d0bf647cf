package invariant

import (
	"fmt"
	"runtime"
)

// Violation is what a broken invariant panics with.
type Violation struct {
	Message string // what did not hold, with the values
	Where   string // file:line of the check
	Stack   []byte // the goroutine's stack, for the dump
}

// Error says what did not hold and where.
func (v *Violation) Error() string { return "invariant broken at " + v.Where + ": " + v.Message }

// That panics with a *Violation unless ok. Arguments are evaluated always, so a hot path that must not
// allocate writes `if !ok { invariant.Fail(...) }` instead.
func That(ok bool, format string, args ...any) {
	if !ok {
		fail(2, format, args...)
	}
}

// Fail panics with a *Violation: the code that calls it cannot be reached.
func Fail(format string, args ...any) { fail(2, format, args...) }

// Costly runs check, and fails if it returns a sentence, only in a build with the tag `invariants`;
// in other builds it compiles to nothing. It is for checks that walk whole structures.
func Costly(check func() string) {
	if !Enabled {
		return
	}
	if why := check(); why != "" {
		fail(2, "%s", why)
	}
}

// Catch is deferred by the owner of a part: it turns a Violation into a call of broken and lets every
// other panic pass, because that is a bug nobody foresaw.
func Catch(broken func(*Violation)) {
	switch r := recover().(type) {
	case nil:
	case *Violation:
		broken(r)
	default:
		panic(r)
	}
}

func fail(skip int, format string, args ...any) {
	where := "unknown"
	if _, file, line, ok := runtime.Caller(skip); ok {
		where = fmt.Sprintf("%s:%d", file, line)
	}
	stack := make([]byte, 16<<10)
	stack = stack[:runtime.Stack(stack, false)]
	panic(&Violation{Message: fmt.Sprintf(format, args...), Where: where, Stack: stack})
}
