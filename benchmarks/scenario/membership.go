package scenario

import "fmt"

const (
	meetings         = 200
	guestsPerMeeting = 1_000
	meetingUsers     = 5_000
	meetingsFarApart = 37 // users between the first guests of two meetings
)

// newMembership makes a world of long lists. Who is allowed is the last in one.
func newMembership() (*World, error) {
	b, err := policy("membership")
	if err != nil {
		return nil, err
	}
	random := newRandom(6)
	var directory builder
	for u := range meetingUsers {
		directory.add(member(u), nil)
	}
	guest := func(meeting, i int) string { return member((meeting*meetingsFarApart + i) % meetingUsers) }
	for m := range meetings {
		invited := make([]string, guestsPerMeeting)
		for i := range invited {
			invited[i] = guest(m, i)
		}
		directory.add(meeting(m), attributes{"invited": invited})
	}
	actions := []string{"join", "watch", "comment"}
	question := func(m, i int) Question {
		return no("meetings", guest(m, i), actions[random.IntN(len(actions))], meeting(m), nil)
	}
	questions, err := ask(random,
		func() Question {
			q := question(random.IntN(meetings), guestsPerMeeting-1)
			q.Allowed = true
			return q
		},
		func() Question {
			return question(random.IntN(meetings), guestsPerMeeting+random.IntN(meetingUsers-guestsPerMeeting))
		},
	)
	if err != nil {
		return nil, err
	}
	c, err := cedarPolicy("membership", "invited")
	return &World{Tenant: "meetings", Bundle: b, Entities: directory.entities, Now: now(), Questions: questions, Cedar: c}, err
}

func meeting(i int) string { return fmt.Sprintf("meeting:m%03d", i) }
