package evaltest

import "fmt"

// An exception is one of OPA's cases that an evaluator is not held to.
type exception struct {
	evaluator string // by its name, such as "closure"; empty means every one
	name      string // v0/ or v1/ and the case's note
	reason    string
}

// exceptions are all there are. A difference in a result is no reason for one.
var exceptions = []exception{}

// exceptedCases are the reasons why an evaluator is not held to cases, by the
// cases' names.
func exceptedCases(evaluator string) map[string]string {
	reasons := make(map[string]string)
	for _, e := range exceptions {
		if e.evaluator == "" || e.evaluator == evaluator {
			reasons[e.name] = e.reason
		}
	}
	return reasons
}

// excepted judges a case that an evaluator is not held to: it is an error if it
// passes, so that the list of exceptions stays true.
func excepted(failure error, reason string) error {
	if failure == nil {
		return fmt.Errorf("the case passes: take it out of the exceptions, which say: %s", reason)
	}
	return nil
}
