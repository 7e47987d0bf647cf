package invariant

import (
	"errors"
	"strings"
	"testing"
)

func TestThatPanicsWithAViolation(t *testing.T) {
	var got *Violation
	func() {
		defer Catch(func(v *Violation) { got = v })
		That(true, "fine")
		That(false, "end %d is below start %d", 3, 5)
		t.Error("went on after a broken invariant")
	}()
	if got == nil || got.Message != "end 3 is below start 5" {
		t.Fatalf("got %+v", got)
	}
	if !strings.Contains(got.Where, "invariant_test.go:") || !strings.Contains(string(got.Stack), "TestThatPanics") {
		t.Errorf("where %q, stack %q", got.Where, got.Stack)
	}
	var v *Violation
	if err := error(got); !errors.As(err, &v) || !strings.Contains(err.Error(), "end 3 is below start 5") {
		t.Errorf("error %v", err)
	}
}

func TestCatchLetsOtherPanicsPass(t *testing.T) {
	defer func() {
		if r := recover(); r != "other" {
			t.Errorf("recovered %v", r)
		}
	}()
	defer Catch(func(*Violation) { t.Error("taken for a violation") })
	panic("other")
}

func TestCatchWithoutPanic(t *testing.T) {
	defer Catch(func(*Violation) { t.Error("nothing happened") })
}

func TestFailNamesTheCaller(t *testing.T) {
	defer Catch(func(v *Violation) {
		if !strings.Contains(v.Where, "invariant_test.go:") || v.Message != "unreachable 7" {
			t.Errorf("%v", v)
		}
	})
	Fail("unreachable %d", 7)
}

func TestCostlyRunsOnlyWithItsTag(t *testing.T) {
	ran, broke := false, false
	func() {
		defer Catch(func(v *Violation) { broke = v.Message == "out of order" })
		Costly(func() string { ran = true; return "" })
		Costly(func() string { return "out of order" })
	}()
	if ran != Enabled || broke != Enabled {
		t.Errorf("ran %v, broke %v, enabled %v", ran, broke, Enabled)
	}
}
