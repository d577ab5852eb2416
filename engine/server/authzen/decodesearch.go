package authzen

import (
	"strconv"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// A searchRequest is the request of one of the Search APIs.
type searchRequest struct {
	parts
	// paged is whether there is a page object.
	paged bool
	// limit is 0, and token empty, where they are left out.
	limit int
	token string
}

// decodeSearch reads the body of a request for subjects, resources or actions.
// What is to be ignored is skipped, whatever it is: the id of what is searched
// for, and the action of a search for actions (sections 8.4.1 to 8.6.1).
func decodeSearch(body []byte, what pdp.SearchFor) (searchRequest, error) {
	var s searchRequest
	d := newDecoder(body)
	err := d.whole(func(name string) error {
		switch {
		case d.isNull():
			return d.skip()
		case name == "page":
			s.paged = true
			return d.page(&s)
		case name == "action" && what == pdp.Actions:
			return d.skip()
		case name == "subject" && what == pdp.Subjects:
			s.subject = new(authz.Subject)
			return d.entity(&s.subject.Type, nil, &s.subject.Properties)
		case name == "resource" && what == pdp.Resources:
			s.resource = new(authz.Resource)
			return d.entity(&s.resource.Type, nil, &s.resource.Properties)
		}
		return d.part(&s.parts, name)
	})
	return s, err
}

// page reads which page is asked for (section 8.2.1). Its properties are for
// extensions, of which there is none.
func (d decoder) page(s *searchRequest) error {
	return d.object(func(name string) error {
		switch name {
		case "token":
			return d.text(&s.token)
		case "limit":
			return d.limit(&s.limit)
		}
		return d.skip()
	})
}

// limit reads how many results are asked for at most; null leaves it out, and 0
// is as if it were left out: a page that may hold nothing would lead nowhere.
func (d decoder) limit(to *int) error {
	if d.isNull() {
		return d.skip()
	}
	return d.wholeNumber(to, pdp.MaxSearchLimit)
}

// wholeNumber reads a number from 0 to the most.
func (d decoder) wholeNumber(to *int, most uint64) error {
	token, err := d.token('0', "a number")
	if err != nil {
		return err
	}
	text := token.String()
	number, err := strconv.ParseUint(text, 10, 32)
	if err != nil || number > most {
		return d.wrong("%s: expected a whole number from 0 to %d, in digits alone", authz.Quote(text), most)
	}
	*to = int(number)
	return nil
}
