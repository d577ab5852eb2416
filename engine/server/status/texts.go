package status

import "errors"

// Texts are the texts of the errors that err joins (errors.Join), one by one; none of
// nil.
func Texts(err error) []string {
	if err == nil {
		return nil
	}
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return []string{err.Error()}
	}
	var all []string
	for _, one := range joined.Unwrap() {
		all = append(all, Texts(one)...)
	}
	return all
}
